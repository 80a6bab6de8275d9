/* session.ts - one sandbox for many commands.
 *
 * A session is the user's and outlives this process: mxc keeps it, and it is
 * found by its id.  Only the commands that were started here end with us. */
import { ask } from './ask.js';
import { AbortError, errorFromAnswer, malformed, MxcError } from './errors.js';
import type { MxcProcess } from './process.js';
import type { MxcPtyProcess } from './pty.js';
import {
  checkOptions,
  execRequest,
  isObject,
  onlyKeys,
  sessionRequest,
} from './request.js';
import {
  checkRun,
  runText,
  spawnText,
  spawnTextWithPty,
  type Place,
} from './run.js';
import type {
  BufferResult,
  CommonOptions,
  ContainerRequest,
  ExecutionResult,
  FilesystemPolicy,
  ReceiptEntry,
  RunOptions,
  SpawnOptions,
  SpawnWithPtyOptions,
  Tier,
} from './types.js';

/** What a session may touch, fixed when it is provisioned. */
export interface SessionPolicy
  extends Pick<
    ContainerRequest,
    'filesystem' | 'network' | 'ui' | 'limits' | 'guarantees'
  > {
  /** Where its commands start, unless they say otherwise. */
  workingDirectory?: string;
  /** The most that a command may take. */
  timeoutMs?: number;
  /** Stop it when no process has been in it for so long. */
  idleTimeoutMs?: number;
  /** Stop it so long after its start. */
  maxAgeMs?: number;
  /** What is kept when it stops, until it is deprovisioned; without it nothing. */
  layer?: SessionLayer;
}

/**
 * `'private'`: home, /tmp, /var/tmp, /opt and /usr/local; `'system'`: these, and
 * what is written over the base system.
 */
export type SessionLayer = 'private' | 'system';

/** Most that one command may use. */
export interface CommandLimits {
  cpuSeconds?: number;
  files?: number;
  processes?: number;
  fileSizeBytes?: number;
  memoryBytes?: number;
}

/** A command, and what it has less than its session. */
export interface SessionCommand
  extends Pick<
    ContainerRequest,
    | 'command'
    | 'workingDirectory'
    | 'environment'
    | 'inheritDefaultEnvironment'
    | 'timeoutMs'
  > {
  /** Paths that are taken away, and given back below those. */
  filesystem?: Pick<
    FilesystemPolicy,
    'readwritePaths' | 'readonlyPaths' | 'deniedPaths'
  >;
  /** `'none'`: no sockets. Without it the session's. */
  network?: 'none';
  limits?: CommandLimits;
}

export type SessionState = 'provisioned' | 'started' | 'paused' | 'stale';

export interface SessionProcess {
  /** Inside. */
  pid: number;
  hostPid: number;
  /** As in proc(5): `R`, `S`, `T`, ... */
  state: string;
  name: string;
}

/** What mxc knows of a session. */
export interface SessionInfo {
  sandboxId: string;
  backend: string;
  state: SessionState;
  createdMs: number;
  idleTimeoutMs?: number;
  maxAgeMs?: number;
  layer?: SessionLayer;
  /** While it is paused: whether those inside could see it. */
  pausedBy?: 'freezer' | 'signals';
  /** Of who holds it, while it is started. */
  pid?: number;
  ageMs?: number;
  /** 0: it is at work. */
  idleMs?: number;
  commands?: { pid: number; ageMs: number }[];
  /** Of `inspect()`: what was said of its policy when it was provisioned. */
  provisioned?: {
    backend: string;
    tier: Tier;
    warnings: string[];
    receipt: ReceiptEntry[];
  };
}

export type SessionRunOptions = Omit<RunOptions, 'events' | 'correlationId' | 'reportDenials' | 'reportAccesses' | 'verify'>;
export type SessionSpawnOptions = Omit<SpawnOptions, 'events' | 'correlationId' | 'reportDenials' | 'reportAccesses' | 'verify'>;
export type SessionPtyOptions = Omit<SpawnWithPtyOptions, 'events' | 'correlationId' | 'reportDenials' | 'reportAccesses' | 'verify'>;

/** How long what runs may take to end, before it is killed (default 2 s). */
export interface StopSessionOptions extends CommonOptions {
  graceMs?: number;
}

const POLICY_KEYS = new Set([
  'filesystem',
  'network',
  'ui',
  'limits',
  'guarantees',
  'workingDirectory',
  'timeoutMs',
  'idleTimeoutMs',
  'maxAgeMs',
  'layer',
]);
const COMMAND_KEYS = new Set([
  'command',
  'workingDirectory',
  'environment',
  'inheritDefaultEnvironment',
  'timeoutMs',
  'filesystem',
  'network',
  'limits',
]);
const LIMITS = new Map([
  ['cpuSeconds', 'cpu'],
  ['files', 'files'],
  ['processes', 'processes'],
  ['fileSizeBytes', 'file-size'],
  ['memoryBytes', 'memory'],
]);

/* One question to mxc, whose answer is one line of JSON. */
async function answer(
  args: readonly string[],
  input: string,
  options: CommonOptions | undefined,
): Promise<unknown> {
  const text = await ask(args, input, options);
  let said: unknown;

  try {
    said = JSON.parse(text.split('\n', 1)[0] as string);
  } catch {
    throw new MxcError('backend_error', `mxc ${args[0]}: its answer is broken`);
  }
  if (isObject(said) && said.error !== undefined)
    throw errorFromAnswer(said.error);
  return said;
}

/** @internal */
export async function phase(
  args: readonly string[],
  options: CommonOptions | undefined,
  document?: unknown,
): Promise<Record<string, unknown>> {
  const said = (await answer(
    [...args, '--json', '1', ...(document === undefined ? [] : ['-'])],
    document === undefined ? '' : JSON.stringify(document),
    options,
  )) as Record<string, unknown>;

  return isObject(said.result) ? said.result : said;
}

/** @internal Killed, mxc could have made one whose id nobody knows: it ends, and
 * what it made is removed. */
export async function provision(
  args: readonly string[],
  options: CommonOptions | undefined,
  document: unknown,
): Promise<Record<string, unknown>> {
  const signal = options?.signal;
  const unsignalled = { ...options, signal: undefined };

  if (signal?.aborted) throw new AbortError(signal.reason);

  const made = await phase(['provision', ...args], unsignalled, document);

  if (signal?.aborted) {
    await phase(['deprovision', made.sandboxId as string], unsignalled);
    throw new AbortError(signal.reason);
  }
  return made;
}

function time(value: unknown, where: string, least: number): string {
  if (!Number.isSafeInteger(value) || (value as number) < least)
    throw malformed(`must be an integer from ${least} on`, where);
  return `${String(value)}ms`;
}

function times(o: object, options: Record<string, string>): string[] {
  const args: string[] = [];

  for (const [name, option] of Object.entries(options)) {
    const value = (o as Record<string, unknown>)[name];

    if (value !== undefined) args.push(option, time(value, name, 1));
  }
  return args;
}

function graceOf(options: StopSessionOptions | undefined): string[] {
  checkOptions(options, ['graceMs']);
  return options?.graceMs === undefined
    ? []
    : ['--grace', time(options.graceMs, 'graceMs', 0)];
}

function limitsOf(limits: CommandLimits | undefined): string[] {
  if (limits === undefined) return [];
  if (!isObject(limits)) throw malformed('must be an object', 'limits');
  onlyKeys(limits, new Set(LIMITS.keys()), 'limit');

  return Object.entries(limits).flatMap(([name, n]) => {
    if (n === undefined) return [];
    if (!Number.isSafeInteger(n) || (n as number) < 0)
      throw malformed('must be an integer from 0 on', `limits.${name}`);
    return ['--limit', `${String(LIMITS.get(name))}=${String(n)}`];
  });
}

export class Session implements AsyncDisposable {
  readonly id: string;
  /** What mxc warned of, where it was provisioned here. */
  readonly warnings: readonly string[];
  readonly #executable: string | undefined;

  private constructor(
    id: string,
    executable: string | undefined,
    warnings: readonly string[] = [],
  ) {
    this.id = id;
    this.warnings = warnings;
    this.#executable = executable;
  }

  /** Make one; nothing runs in it yet. */
  static async provision(
    policy: SessionPolicy = {},
    options?: CommonOptions,
  ): Promise<Session> {
    checkOptions(options);
    if (!isObject(policy)) throw malformed('the policy must be an object');
    onlyKeys(policy, POLICY_KEYS, 'field');

    const p = policy as SessionPolicy;
    const args = times(p, {
      timeoutMs: '--timeout',
      idleTimeoutMs: '--idle-timeout',
      maxAgeMs: '--max-age',
    });

    if (p.workingDirectory !== undefined) {
      if (typeof p.workingDirectory !== 'string')
        throw malformed('must be a string', 'workingDirectory');
      args.push('--cwd', p.workingDirectory);
    }

    const made = await provision(
      args,
      options,
      sessionRequest(p, options?.telemetry),
    );

    return new Session(
      made.sandboxId as string,
      options?.executable,
      (made.warnings ?? []) as string[],
    );
  }

  /** One that is there, by its id; not looked at. */
  static open(id: string, options?: { executable?: string }): Session {
    if (typeof id !== 'string' || id === '' || /^-|\0/.test(id))
      throw new MxcError('malformed_id', `not the id of a session: '${id}'`);
    return new Session(id, options?.executable);
  }

  /** All of this user's, whoever made them. */
  static async list(options?: CommonOptions): Promise<SessionInfo[]> {
    checkOptions(options);
    return (await answer(['ps', '--json', '1'], '', options)) as SessionInfo[];
  }

  /** Make the sandbox; `already_started` where there is one. */
  async start(options?: CommonOptions): Promise<this> {
    await this.#do('start', options);
    return this;
  }

  /** End what runs in it; it stays provisioned. */
  async stop(options?: StopSessionOptions): Promise<void> {
    const grace = graceOf(options);

    await this.#do('stop', options, grace, ['graceMs']);
  }

  /** Stop it if it runs, and remove it. */
  async deprovision(options?: StopSessionOptions): Promise<void> {
    const grace = graceOf(options);

    await this.#do('deprovision', options, grace, ['graceMs']);
  }

  /** Hold everything in it. */
  async pause(options?: CommonOptions): Promise<void> {
    await this.#do('pause', options);
  }

  async resume(options?: CommonOptions): Promise<void> {
    await this.#do('resume', options);
  }

  async inspect(options?: CommonOptions): Promise<SessionInfo> {
    return (await this.#do('inspect', options)) as unknown as SessionInfo;
  }

  /** What runs in it. */
  async processes(options?: CommonOptions): Promise<SessionProcess[]> {
    return (await this.#do('ps', options)).processes as SessionProcess[];
  }

  /** Run a command to its end; everything it wrote is in the result. */
  run(
    command: SessionCommand,
    options: SessionRunOptions & { encoding: 'buffer' },
  ): Promise<BufferResult>;
  run(
    command: SessionCommand,
    options?: SessionRunOptions,
  ): Promise<ExecutionResult>;
  async run(
    command: SessionCommand,
    options?: SessionRunOptions,
  ): Promise<ExecutionResult | BufferResult> {
    const most = checkRun(options, ['input', 'encoding', 'maxOutputBytes']);
    const { text, place } = this.#command(command, options);

    return runText(text, this.#with(options), most, place);
  }

  /** Start a command, and have its streams. */
  async spawn(
    command: SessionCommand,
    options?: SessionSpawnOptions,
  ): Promise<MxcProcess> {
    checkOptions(options);

    const { text, place } = this.#command(command, options);

    return spawnText(text, this.#with(options), place);
  }

  /** Start a command on a terminal. */
  async spawnWithPty(
    command: SessionCommand,
    options?: SessionPtyOptions,
  ): Promise<MxcPtyProcess> {
    checkOptions(options, ['size']);

    const { text, place } = this.#command(command, options);

    return spawnTextWithPty(text, this.#with(options), place);
  }

  /** `await using`: what the block leaves is deprovisioned. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.deprovision();
    } catch (error) {
      if (!(error instanceof MxcError) || error.code !== 'stale_id')
        throw error;
    }
  }

  #with<T extends CommonOptions>(options: T | undefined): T | undefined {
    return this.#executable === undefined || options?.executable !== undefined
      ? options
      : ({ ...options, executable: this.#executable } as T);
  }

  async #do(
    verb: string,
    options: CommonOptions | undefined,
    args: readonly string[] = [],
    known: readonly string[] = [],
  ): Promise<Record<string, unknown>> {
    checkOptions(options, known);
    return phase([verb, this.id, ...args], this.#with(options));
  }

  #command(
    command: SessionCommand,
    options: CommonOptions | undefined,
  ): { text: string; place: Place } {
    if (!isObject(command)) throw malformed('the command must be an object');
    onlyKeys(command, COMMAND_KEYS, 'field');

    const c = command as unknown as SessionCommand;

    if (c.network !== undefined && c.network !== 'none')
      throw malformed("must be 'none', or absent", 'network');
    return {
      text: JSON.stringify(
        execRequest(this.id, c, c.network === 'none', options?.telemetry),
      ),
      place: { session: this.id, more: limitsOf(c.limits) },
    };
  }
}
