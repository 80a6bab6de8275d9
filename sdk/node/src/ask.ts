/* ask.ts - questions to mxc that run nothing: the text goes to its standard
 * input, the answer comes from its standard output. */
import { spawn, spawnSync } from 'node:child_process';
import { onAbort } from './abort.js';
import { AbortError, errorFromAnswer, MxcError } from './errors.js';
import { environment, findExecutable } from './executable.js';
import type { CommonOptions, ReceiptEntry, Tier } from './types.js';

/** @internal */
export interface CheckAnswer {
  outcome: string;
  backend?: string;
  tier?: Tier;
  warnings?: string[];
  receipt?: ReceiptEntry[];
  error?: unknown;
}

function failed(file: string, why: string): MxcError {
  return new MxcError({
    code: 'backend_error',
    message: `'${file}' gave no answer: ${why.trim()}`,
  });
}

function cannotStart(file: string, error: Error): MxcError {
  return new MxcError({
    code: 'backend_unavailable',
    message: `cannot start '${file}': ${error.message}`,
    operation: 'spawn',
    nativeCode: (error as NodeJS.ErrnoException).code,
  });
}

/** @internal What the command wrote to its standard output. */
export function ask(
  args: readonly string[],
  input: string,
  options: CommonOptions | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = options?.signal;

    if (signal?.aborted) throw new AbortError(signal.reason);

    const file = findExecutable(options?.executable);
    const child = spawn(file, args, { env: environment() });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const unfollow = signal && onAbort(signal, () => child.kill('SIGKILL'));

    child.once('error', (error) => {
      unfollow?.();
      reject(cannotStart(file, error));
    });
    if (!child.stdin || !child.stdout || !child.stderr) return;
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('close', () => {
      const text = Buffer.concat(out).toString();

      unfollow?.();
      if (signal?.aborted) reject(new AbortError(signal.reason));
      else if (text) resolve(text);
      else reject(failed(file, Buffer.concat(err).toString()));
    });
  });
}

/** @internal */
export async function check(
  document: unknown,
  options: CommonOptions | undefined,
): Promise<CheckAnswer> {
  const text = await ask(
    ['check', '--json', '1', '-'],
    JSON.stringify(document),
    options,
  );
  const answer = JSON.parse(text) as CheckAnswer;

  if (answer.error !== undefined) throw errorFromAnswer(answer.error);
  return answer;
}

/** @internal The same at once, for calls that MXC has without a promise. */
export function askSync(
  args: readonly string[],
  input: string,
  executable: string | undefined,
): string {
  const file = findExecutable(executable);
  const r = spawnSync(file, args, {
    input,
    env: environment(),
    encoding: 'utf8',
    maxBuffer: 16 << 20,
  });

  if (r.error) throw cannotStart(file, r.error);
  if (!r.stdout) throw failed(file, r.stderr);
  return r.stdout;
}
