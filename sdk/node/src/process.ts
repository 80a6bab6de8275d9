/* process.ts - a run that goes on. */
import { constants } from 'node:os';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Ending, Engine } from './engine.js';
import { malformed, MxcError } from './errors.js';
import { keep } from './keep.js';
import { eventsOf } from './lines.js';
import type {
  Access,
  Denial,
  ExecutionMetadata,
  LimitReached,
  MxcEvent,
  PublishedAt,
  ReceiptEntry,
  Tier,
  VerifiedClause,
  WaitResult,
} from './types.js';

function signalNumber(signal: number | string): number {
  const n =
    typeof signal === 'number'
      ? signal
      : (constants.signals as Record<string, number>)[signal];

  if (n === undefined || !Number.isInteger(n) || n < 1 || n > 64)
    throw malformed(`no signal: '${signal}'`);
  return n;
}

export class MxcProcess implements Disposable {
  /** Process id of the supervisor; for people. */
  readonly id: number;

  /** @internal */
  protected readonly engine: Engine;
  readonly #in: Writable | null;
  readonly #out: Readable | null;
  readonly #err: Readable | null;
  readonly #events: Readable | null;
  #taken = { in: false, out: false, err: false };
  #drained = { out: false, err: false };
  #ending: Ending | undefined;
  #isDisposed = false;
  #wait: Promise<WaitResult> | undefined;
  #dispose: (() => void) | undefined;

  /** @internal */
  constructor(engine: Engine) {
    const { stdin, stdout, stderr, pid } = engine.child;

    this.engine = engine;
    this.id = pid ?? -1;
    this.#in = stdin;
    this.#out = stdout && keep(stdout as Socket);
    this.#err = stderr && keep(stderr as Socket);
    this.#events = engine.events && keep(engine.events);
    /* Who writes to a command that has ended is told by the call that wrote;
     * the process of the caller does not end for it. */
    for (const stream of [this.#in, this.#out, this.#err, this.#events])
      stream?.on('error', () => {});
    engine.ended.then(
      (ending) => {
        this.#ending = ending;
      },
      () => {},
    );
  }

  get standardInput(): Writable | null {
    this.#check();
    this.#taken.in = true;
    return this.#in;
  }

  get standardOutput(): Readable | null {
    this.#check(this.#drained.out);
    this.#taken.out = true;
    return this.#out;
  }

  get standardError(): Readable | null {
    this.#check(this.#drained.err);
    this.#taken.err = true;
    return this.#err;
  }

  /**
   * Ours: with `events: true`, what happens, as it does. For one reader: leaving
   * the loop ends the events, and not the command.
   */
  get events(): AsyncIterable<MxcEvent> | null {
    this.#check();
    return this.#events && eventsOf(this.#events);
  }

  /** This and the next are known when wait() has resolved. */
  get warnings(): readonly string[] {
    return this.#ending?.report.warnings ?? [];
  }
  get outputMetadata(): ExecutionMetadata | undefined {
    return this.#ending?.report.outputMetadata;
  }
  get backend(): string | undefined {
    return this.#ending?.report.backend;
  }
  get tier(): Tier | undefined {
    return this.#ending?.report.tier;
  }
  /** The limits that were reached. */
  get limits(): readonly LimitReached[] {
    return this.#ending?.report.limits ?? [];
  }
  get denialCount(): number {
    return this.#ending?.report.denialCount ?? 0;
  }
  get denials(): readonly Denial[] {
    return this.#ending?.report.denials ?? [];
  }
  get denialsNotListed(): number {
    return this.#ending?.report.denialsNotListed ?? 0;
  }
  get denialsLost(): number {
    return this.#ending?.report.denialsLost ?? 0;
  }
  get accesses(): readonly Access[] {
    return this.#ending?.report.accesses ?? [];
  }
  get accessesNotListed(): number {
    return this.#ending?.report.accessesNotListed ?? 0;
  }
  get receipt(): readonly ReceiptEntry[] {
    return this.#ending?.report.receipt ?? [];
  }
  get verified(): readonly VerifiedClause[] {
    return this.#ending?.report.verified ?? [];
  }
  get published(): readonly PublishedAt[] {
    return this.#ending?.report.published ?? [];
  }

  /**
   * The end. Input that nobody took is ended, and output that nobody took is
   * thrown away, so that it does not wait for a reader.
   */
  wait(): Promise<WaitResult> {
    this.#check();
    if (this.#wait) return this.#wait;
    if (!this.#taken.in) this.#in?.end();
    if (!this.#taken.out) {
      this.#drained.out = true;
      this.#out?.resume();
    }
    if (!this.#taken.err) {
      this.#drained.err = true;
      this.#err?.resume();
    }

    const disposed = new Promise<never>((_, reject) => {
      this.#dispose = () => reject(disposedError());
    });

    this.#wait = Promise.race([
      this.engine.ended.then((ending) => ending.wait),
      disposed,
    ]);
    /* Who asks now and looks later, behind the streams, is told then; that
     * nobody looks in between is no reason for node to end the program. */
    this.#wait.catch(() => {});
    return this.#wait;
  }

  /** Ends everything inside; wait() then has exit code -1. */
  kill(): void {
    this.engine.kill();
  }

  /** Ours: a signal for the command, as `'SIGTERM'` or 15. */
  signal(signal: number | NodeJS.Signals): void {
    this.engine.order(`signal ${signalNumber(signal)}`);
  }

  /** Kills it if it runs; the streams are gone, a pending wait() rejects. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.engine.kill();
    for (const stream of [this.#in, this.#out, this.#err, this.#events])
      stream?.destroy();
    this.#dispose?.();
  }

  /** `using`: what the block leaves is disposed of. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #check(isDrained = false): void {
    if (this.#isDisposed) throw disposedError();
    if (isDrained)
      throw new MxcError(
        'backend_error',
        'wait() was called before this stream was taken, and threw it away',
      );
  }
}

function disposedError(): MxcError {
  return new MxcError('backend_error', 'the process was disposed of');
}
