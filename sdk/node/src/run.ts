/* run.ts - start, run to the end, collect. */
import type { Socket } from 'node:net';
import { Engine } from './engine.js';
import { malformed } from './errors.js';
import { Collected } from './collected.js';
import { eventsOf } from './lines.js';
import { MxcProcess } from './process.js';
import { MxcPtyProcess } from './pty.js';
import { checkOptions, checkSize, wireRequest } from './request.js';
import type {
  BufferResult,
  ContainerRequest,
  ExecutionResult,
  MxcEvent,
  RunOptions,
  SpawnOptions,
  SpawnWithPtyOptions,
} from './types.js';

const MAX_OUTPUT = 64 << 20;
/* As many as a run of some hours has; the rest is counted. */
const MAX_EVENTS = 100_000;

function closed(socket: Socket | null): Promise<void> | undefined {
  if (!socket || socket.closed) return undefined;
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/* What a gap of ours has in common with the last event that is missing. */
function head({ seq, timeMs, monotonicUs, correlationId }: MxcEvent) {
  return { seq, timeMs, monotonicUs, ...(correlationId && { correlationId }) };
}

async function collectEvents(socket: Socket): Promise<MxcEvent[]> {
  const events: MxcEvent[] = [];
  let lost = 0;
  let last: MxcEvent | undefined;

  try {
    for await (const event of eventsOf(socket)) {
      last = event;
      if (events.length < MAX_EVENTS) events.push(event);
      else lost++;
    }
  } catch {
    /* It went with the run, which says why. */
  }
  if (lost && last)
    events.push({ ...head(last), event: 'gap', count: lost, reason: 'size' });
  return events;
}

const OF_A_RUN = [
  'events',
  'correlationId',
  'reportDenials',
  'reportAccesses',
  'verify',
];
const RUN_OPTIONS = ['input', 'encoding', 'maxOutputBytes', ...OF_A_RUN];

/** @internal A command of a session, instead of a run. */
export interface Place {
  session?: string;
  more?: readonly string[];
}

/** @internal */
export function checkRun(
  o: RunOptions | undefined,
  known: readonly string[] = RUN_OPTIONS,
): number {
  checkOptions(o, known);

  const most = o?.maxOutputBytes ?? MAX_OUTPUT;

  if (!Number.isSafeInteger(most) || most < 0)
    throw malformed("option 'maxOutputBytes' must be an integer from 0 on");
  if (o?.encoding && o.encoding !== 'utf8' && o.encoding !== 'buffer')
    throw malformed("option 'encoding' must be 'utf8' or 'buffer'");
  if (
    o?.input !== undefined &&
    typeof o.input !== 'string' &&
    !(o.input instanceof Uint8Array)
  )
    throw malformed("option 'input' must be a string or a Uint8Array");
  return most;
}

/* What a command of a session leaves running may keep its streams, and go on
 * writing: what it wrote itself is there by now, and is taken. */
async function takeRest(sockets: (Socket | null)[]): Promise<void> {
  const turns = 64;
  const quiet = 3;
  let idle = 0;
  let came = false;
  const hear = () => {
    came = true;
  };

  for (const socket of sockets) socket?.on('data', hear);
  for (let n = 0; n < turns && idle < quiet; n++) {
    came = false;
    await new Promise((resolve) => setImmediate(resolve));
    idle = came ? 0 : idle + 1;
  }
  for (const socket of sockets) socket?.destroy();
}

type Losses<N extends string> = Record<`${N}Lost` | `${N}Total`, number> &
  Record<`${N}Truncated`, boolean> &
  Partial<Record<`${N}Gap`, number>>;

function lossOf<N extends string>(
  name: N,
  of: Collected,
  encoding: RunOptions['encoding'],
): Losses<N> {
  return {
    [`${name}Lost`]: of.lost,
    [`${name}Truncated`]: of.lost > 0,
    [`${name}Total`]: of.total,
    ...(of.lost > 0 && { [`${name}Gap`]: of.gap(encoding === 'buffer') }),
  } as Losses<N>;
}

/** @internal */
export async function runText(
  text: string,
  options: RunOptions | undefined,
  most: number,
  place: Place = {},
): Promise<ExecutionResult | BufferResult> {
  const engine = new Engine(text, {
    ...place,
    executable: options?.executable,
    signal: options?.signal,
    stdin: options?.input === undefined ? 'ignore' : 'pipe',
    stderr: 'pipe',
    events: options?.events,
    correlationId: options?.correlationId,
    reportDenials: options?.reportDenials,
    reportAccesses: options?.reportAccesses,
    verify: options?.verify,
    attended: false,
  });
  const out = engine.child.stdout as Socket | null;
  const err = engine.child.stderr as Socket | null;
  const stdout = new Collected(out, most);
  const stderr = new Collected(err, most);
  const events = engine.events ? collectEvents(engine.events) : undefined;
  const drained = [closed(out), closed(err)];
  const { stdin } = engine.child;

  if (stdin) {
    stdin.on('error', () => {}); /* it may end without reading all */
    stdin.end(options?.input);
  }

  const { wait, report, own } = await engine.ended.finally(() =>
    place.session === undefined ? undefined : takeRest([out, err]),
  );

  await Promise.all(drained);
  stderr.leaveOut(own.before, own.after);

  const result = {
    ...wait,
    ...report,
    ...lossOf('stdout', stdout, options?.encoding),
    ...lossOf('stderr', stderr, options?.encoding),
    ...(events && { events: await events }),
  };

  return options?.encoding === 'buffer'
    ? { stdout: stdout.bytes(), stderr: stderr.bytes(), ...result }
    : { stdout: stdout.text(), stderr: stderr.text(), ...result };
}

/** Run to the end; everything it wrote is in the result. */
export function run(
  request: ContainerRequest,
  options: RunOptions & { encoding: 'buffer' },
): Promise<BufferResult>;
export function run(
  request: ContainerRequest,
  options?: RunOptions,
): Promise<ExecutionResult>;
export async function run(
  request: ContainerRequest,
  options?: RunOptions,
): Promise<ExecutionResult | BufferResult> {
  const most = checkRun(options);

  return runText(
    JSON.stringify(wireRequest(request, options?.telemetry)),
    options,
    most,
  );
}

/* A refusal shows here; what fails later shows in wait(). */
async function refusedOrRuns(engine: Engine): Promise<void> {
  await engine.accepted;
  if (engine.isOver) await engine.ended;
}

/** @internal */
export async function spawnText(
  text: string,
  options: SpawnOptions | undefined,
  place: Place = {},
): Promise<MxcProcess> {
  const engine = new Engine(text, {
    ...place,
    executable: options?.executable,
    signal: options?.signal,
    events: options?.events,
    correlationId: options?.correlationId,
    reportDenials: options?.reportDenials,
    reportAccesses: options?.reportAccesses,
    verify: options?.verify,
    stdin: 'pipe',
    stderr: 'pipe',
    attended: true,
  });
  const process = new MxcProcess(engine);

  await refusedOrRuns(engine);
  return process;
}

/** Start it, and have its streams. */
export async function spawn(
  request: ContainerRequest,
  options?: SpawnOptions,
): Promise<MxcProcess> {
  checkOptions(options, OF_A_RUN);
  return spawnText(
    JSON.stringify(wireRequest(request, options?.telemetry)),
    options,
  );
}

/** @internal */
export async function spawnTextWithPty(
  text: string,
  options: SpawnWithPtyOptions | undefined,
  place: Place = {},
): Promise<MxcPtyProcess> {
  const size = checkSize(options?.size ?? { rows: 24, columns: 80 });
  const engine = new Engine(text, {
    ...place,
    executable: options?.executable,
    signal: options?.signal,
    events: options?.events,
    correlationId: options?.correlationId,
    reportDenials: options?.reportDenials,
    reportAccesses: options?.reportAccesses,
    verify: options?.verify,
    stdin: 'pipe',
    stderr: 'ignore',
    pty: size,
    attended: true,
  });
  const process = new MxcPtyProcess(engine);

  await refusedOrRuns(engine);
  return process;
}

/** Start it on a terminal of its own. */
export async function spawnWithPty(
  request: ContainerRequest,
  options?: SpawnWithPtyOptions,
): Promise<MxcPtyProcess> {
  checkOptions(options, [...OF_A_RUN, 'size']);
  return spawnTextWithPty(
    JSON.stringify(wireRequest(request, options?.telemetry)),
    options,
  );
}
