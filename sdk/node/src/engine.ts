/* engine.ts - one mxc process: its descriptors, its answer, its end.
 *
 * Descriptor 3 carries the request, so that no secret of it stands on a
 * command line; mxc closes it when it has accepted the request.  The answer
 * comes on 4: who refuses a request without reading it closes 3, and node
 * drops what has come on a socket that it cannot write to any more. */
import {
  spawn,
  type ChildProcess,
  type StdioOptions,
} from 'node:child_process';
import type { Socket } from 'node:net';
import { onAbort } from './abort.js';
import { AbortError, errorFromAnswer, MxcError } from './errors.js';
import { environment, findExecutable, forgetExecutable } from './executable.js';
import { isObject } from './request.js';
import type {
  CommonOptions,
  MxcPtySize,
  ReceiptEntry,
  Report,
  Access,
  Denial,
  LimitReached,
  PublishedAt,
  VerifiedClause,
  WaitResult,
} from './types.js';

/** @internal */
export interface LaunchOptions extends CommonOptions {
  stdin: 'pipe' | 'ignore';
  stderr: 'pipe' | 'ignore';
  events?: boolean;
  correlationId?: string;
  reportDenials?: boolean;
  reportAccesses?: boolean;
  verify?: boolean;
  pty?: MxcPtySize;
  /** Two-way: orders to the run, and the word that it was accepted. */
  attended: boolean;
  /** A session's command: its id, and what mxc exec is told besides. */
  session?: string;
  more?: readonly string[];
}

interface Answer extends Partial<Report> {
  outcome: string;
  exitCode: number;
  signal?: number;
  durationMs?: number;
  error?: unknown;
}

/** @internal */
export interface Ending {
  wait: WaitResult;
  report: Report;
  own: OwnWords;
}

/** @internal What mxc itself wrote to standard error, around the command. */
export interface OwnWords {
  before: string;
  after: string;
}

const ignore = () => {};

function collect(socket: Socket, chunks: Buffer[]): void {
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', ignore);
}

function cannotStart(error: NodeJS.ErrnoException, file: string): MxcError {
  forgetExecutable();
  return new MxcError({
    code:
      error.code === 'ENOENT' || error.code === 'EACCES'
        ? 'backend_unavailable'
        : 'backend_error',
    message: `cannot start '${file}': ${error.message}`,
    operation: 'spawn',
    nativeCode: error.code,
  });
}

/** @internal */
export class Engine {
  readonly child: ChildProcess;
  readonly events: Socket | null = null;
  /** The process ended and its answer is here. */
  readonly ended: Promise<Ending>;
  /** mxc took the request, or refused it: then `ended` says why. */
  readonly accepted: Promise<void>;

  #file: string;
  #answer: Buffer[] = [];
  #control: Socket | null = null;
  #signal: AbortSignal | undefined;
  #unfollow: (() => void) | undefined;
  #stop: 'kill' | 'abort' | undefined;
  #isOver = false;

  constructor(request: string, o: LaunchOptions) {
    if (o.signal?.aborted) throw new AbortError(o.signal.reason);
    this.#file = findExecutable(o.executable);

    const args =
      o.session === undefined
        ? ['run', '--policy', '/dev/fd/3']
        : ['exec', o.session, '--request', '/dev/fd/3', ...(o.more ?? [])];
    const stdio: StdioOptions = [o.stdin, 'pipe', o.stderr, 'pipe'];
    const add = (option: string) => {
      args.push(option, String(stdio.length));
      stdio.push('pipe');
    };

    args.push('--parent', String(process.pid));
    add('--json');
    if (o.attended) add('--control');
    if (o.events) add('--events');
    if (o.reportDenials) args.push('--denials');
    if (o.reportAccesses) args.push('--accesses');
    if (o.verify) args.push('--verify');
    if (o.correlationId !== undefined)
      args.push('--correlation-id', o.correlationId);
    if (o.pty) args.push('--pty', `${o.pty.rows}x${o.pty.columns}`);

    try {
      this.child = spawn(this.#file, args, { stdio, env: environment() });
    } catch (error) {
      throw cannotStart(error as NodeJS.ErrnoException, this.#file);
    }

    /* Where there was no descriptor left there are no streams either. */
    const pipes = (this.child.stdio ?? []) as (Socket | null)[];
    const socket = (n: number) => pipes[n] ?? null;
    const first = socket(3);
    const answer = socket(4);

    if (o.attended) this.#control = socket(5);
    if (o.events) this.events = socket(o.attended ? 6 : 5);
    this.#control?.on('error', ignore).resume();
    this.events?.on('error', ignore);
    if (answer) collect(answer, this.#answer);
    this.ended = this.#follow(answer);
    this.ended.catch(ignore);
    this.accepted = this.#acceptance(o.attended ? first : null, answer);
    if (first) {
      first.on('error', ignore).resume();
      first.end(request);
    }
    this.#signal = o.signal;
    this.#unfollow = this.#signal && onAbort(this.#signal, this.#abort);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends everything inside. */
  kill(): void {
    if (this.#isOver || this.#stop) return;
    this.#stop = 'kill';
    if (this.#control?.writable) this.#control.write('kill\n');
    else this.child.kill('SIGKILL');
  }

  order(line: string): void {
    if (!this.#isOver && this.#control?.writable)
      this.#control.write(`${line}\n`);
  }

  /* Without mxc nothing of the sandbox is left: the kernel sees to it. */
  #abort = (): void => {
    this.#stop = 'abort';
    this.child.kill('SIGKILL');
  };

  #acceptance(socket: Socket | null, answer: Socket | null): Promise<void> {
    if (!socket) return Promise.resolve();
    return new Promise((resolve) => {
      /* A refusal is written before descriptor 3 ends: by the time that the
       * events of this turn are delivered it has been read. */
      socket.once('close', () =>
        setImmediate(() => {
          if (!this.#answer.length && !answer?.readableEnded) resolve();
          else this.ended.then(ignore, ignore).then(resolve, ignore);
        }),
      );
    });
  }

  #follow(answer: Socket | null): Promise<Ending> {
    const { child } = this;

    return new Promise((resolve, reject) => {
      let open = 2;
      let failure: MxcError | undefined;
      const finish = () => {
        if (--open > 0) return;
        this.#isOver = true;
        this.#unfollow?.();
        this.#control?.destroy();
        try {
          if (failure) throw failure;
          resolve(this.#ending());
        } catch (error) {
          reject(error);
        }
      };

      child.once('error', (error) => {
        if (child.pid !== undefined) return;
        failure = cannotStart(error, this.#file);
        answer?.destroy();
        open = 1;
        finish();
      });
      child.once('exit', finish);
      if (answer) answer.once('close', finish);
      else open--;
    });
  }

  /* mxc's answer in our words; throws what is an error. */
  #ending(): Ending {
    if (this.#stop === 'abort') throw new AbortError(this.#signal?.reason);

    const answer = this.#parse();

    if (!answer || answer.outcome === 'killed') {
      if (this.#stop !== 'kill') throw this.#noAnswer();
      return {
        wait: {
          exitCode: -1,
          timedOut: false,
          signal: 9,
          outcome: 'killed',
          durationMs: answer?.durationMs ?? 0,
        },
        report: reportOf(answer),
        own: ownWords(answer),
      };
    }
    switch (answer.outcome) {
      case 'exited':
      case 'signaled':
      case 'timed_out':
      case 'limited':
        return {
          wait: {
            exitCode: answer.outcome === 'timed_out' ? -1 : answer.exitCode,
            timedOut: answer.outcome === 'timed_out',
            signal: answer.signal ?? 0,
            outcome: answer.outcome,
            durationMs: answer.durationMs ?? 0,
          },
          report: reportOf(answer),
          own: ownWords(answer),
        };
      default: {
        const error = errorFromAnswer(answer.error);

        if (answer.outcome === 'failed') throw error;
        throw new MxcError({
          ...error,
          message: error.message,
          details: {
            ...error.details,
            outcome: answer.outcome,
            exitCode: answer.exitCode,
          },
        });
      }
    }
  }

  #parse(): Answer | undefined {
    const text = Buffer.concat(this.#answer).toString();

    this.#answer = [];
    if (text === '') return undefined;
    try {
      return JSON.parse(text) as Answer;
    } catch {
      return undefined;
    }
  }

  #noAnswer(): MxcError {
    const { exitCode, signalCode } = this.child;

    return new MxcError({
      code: 'backend_error',
      message: signalCode
        ? `mxc was ended by ${signalCode}`
        : `mxc ended with ${exitCode} and without an answer`,
      remediation:
        'look for an out-of-memory kill, and whether the executable and this ' +
        'package are of one version',
      details: { executable: this.#file, exitCode, signal: signalCode },
    });
  }
}

/* As mxc writes it for people: the answer has it too. */
function ownWords(a: Answer | undefined): OwnWords {
  const before = (a?.warnings ?? []).map((w) => `mxc: warning: ${w}\n`).join('');

  if (!isObject(a?.error)) return { before, after: '' };

  const { message, remediation, details } = a.error;
  const at = isObject(details) ? details : {};
  const place = at.line
    ? ` (line ${String(at.line)}, column ${String(at.column ?? 0)})`
    : '';

  return {
    before,
    after:
      `mxc: ${String(message)}\n` +
      (at.where ? `  at: ${String(at.where)}${place}\n` : '') +
      (remediation ? `  try: ${String(remediation)}\n` : ''),
  };
}

function reportOf(a: Answer | undefined): Report {
  return {
    warnings: a?.warnings ?? [],
    ...(a?.outputMetadata && { outputMetadata: a.outputMetadata }),
    backend: a?.backend,
    tier: a?.tier,
    receipt: (a?.receipt ?? []) as ReceiptEntry[],
    verified: (a?.verified ?? []) as VerifiedClause[],
    denialCount: a?.denialCount ?? 0,
    denials: (a?.denials ?? []) as Denial[],
    denialsNotListed: a?.denialsNotListed ?? 0,
    denialsLost: a?.denialsLost ?? 0,
    accesses: (a?.accesses ?? []) as Access[],
    accessesNotListed: a?.accessesNotListed ?? 0,
    published: (a?.published ?? []) as PublishedAt[],
    limits: (a?.limits ?? []) as LimitReached[],
  };
}
