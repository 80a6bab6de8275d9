/* types.ts - requests and answers as this package's callers see them.  The
 * names are those of MXC's SDK, v1; what MXC does not have is said to be ours.
 * Parts that go over the wire as they are come from wire.ts. */
import type * as Wire from './wire.js';

export type ClipboardPolicy = NonNullable<Wire.Ui['clipboard']>;
export type NetworkAction = NonNullable<Wire.Egress['default']>;
export type NetworkProtocol = NonNullable<Wire.NetworkPort['protocol']>;

/** `cidr`, or (ours) `host`: a name, or `*.` and a name. */
export type NetworkPeerConfig = Wire.NetworkPeer;
export type NetworkPortConfig = Wire.NetworkPort;
export type NetworkRuleConfig = Wire.NetworkRule;
export type NetworkEgressConfig = Wire.Egress;
/** Ours: `ports` and `hostServices`. */
export type NetworkIngressConfig = Wire.Ingress;
export type PublishedPort = Wire.PublishedPort;
export type HostService = Wire.HostService;
/** Ours: `filteringProxy`. */
export type NetworkRuntimeConfig = Wire.RuntimeConfig;
export type DirectionalNetworkConfig = Wire.Network;
export type TelemetryConfig = Wire.Telemetry;
export type ProcessContainerConfig = Omit<
  Wire.ProcessContainer,
  'leastPrivilege'
>;
export type BaseProcessUiConfig = Wire.ProcessContainerUi;
export type LxcConfig = Partial<Wire.Lxc>;
export type SeatbeltConfig = Wire.Seatbelt;
export type WslcConfig = Wire.Wslc;
export type HyperlightConfig = Wire.Hyperlight;
/** Ours: most that the workload may use. */
export type Limits = Wire.Limits;
/** Ours: least that its isolation must be. */
export type Guarantees = Wire.Guarantees;
/** Ours: how strong an isolation is; `vm` is the strongest. */
export type Tier = NonNullable<Guarantees['tier']>;

export interface NetworkPolicy extends DirectionalNetworkConfig {
  runtimeConfig?: NetworkRuntimeConfig;
}

export interface FilesystemPolicy extends Wire.Filesystem {
  /** Remove what the policy set up on the host (default true). */
  clearPolicyOnExit?: boolean;
}
export type FilesystemConfig = FilesystemPolicy;

export interface UiPolicy {
  disable: boolean;
  clipboard?: ClipboardPolicy;
  allowInputInjection?: boolean;
}

export namespace Containment {
  export interface Process {
    type: 'process';
  }
  /** Ours: the native backend of Linux, by name. */
  export interface Native {
    type: 'native';
  }
  export interface Bubblewrap {
    type: 'bubblewrap';
  }
  /** Ours: gVisor's kernel in user space around the workload. */
  export interface Gvisor {
    type: 'gvisor';
  }
  export interface IsolationSession {
    type: 'isolation_session';
  }
  export interface ProcessContainer {
    type: 'processcontainer';
    config?: ProcessContainerConfig;
  }
  export interface Wslc {
    type: 'wslc';
    config?: WslcConfig;
  }
  export interface Lxc {
    type: 'lxc';
    config?: LxcConfig;
  }
  export interface Seatbelt {
    type: 'seatbelt';
    config?: SeatbeltConfig;
  }
  /** Ours. */
  export interface Vm {
    type: 'vm' | 'microvm';
  }
  /** Ours. */
  export interface Hyperlight {
    type: 'hyperlight';
    config?: HyperlightConfig;
  }
}
export type Containment =
  | Containment.Process
  | Containment.Native
  | Containment.Bubblewrap
  | Containment.Gvisor
  | Containment.IsolationSession
  | Containment.ProcessContainer
  | Containment.Wslc
  | Containment.Lxc
  | Containment.Seatbelt
  | Containment.Vm
  | Containment.Hyperlight;
export type ContainmentBackend = NonNullable<Wire.OneShot['containment']>;

export interface ContainerRequest {
  /**
   * One line for the shell inside; or (ours) a program and its arguments,
   * which no shell takes apart.
   */
  command: string | readonly string[];
  filesystem?: FilesystemPolicy;
  /** None when absent. */
  network?: NetworkPolicy;
  ui?: UiPolicy;
  /** Milliseconds until everything inside is killed; 0: never. */
  timeoutMs?: number;
  containment?: Containment;
  containerName?: string;
  workingDirectory?: string;
  /** Replaces the default environment; nothing of this process's is in it. */
  environment?: { readonly [name: string]: string | undefined };
  /** Keep the default environment, and lay `environment` over it. */
  inheritDefaultEnvironment?: boolean;
  /** Ours. */
  limits?: Limits;
  /** Ours. With `process`, the first backend that has the tier is used. */
  guarantees?: Guarantees;
}

/** What holds one clause of the policy. */
export interface ReceiptEntry {
  clause: string;
  /** The mechanisms. */
  by: string;
  state: string;
}

/** Ours: a clause that the sandbox tried itself, with `verify: true`. */
export interface VerifiedClause {
  clause: string;
  mechanism: string;
  result: 'held' | 'not tried';
  /** How often. */
  tries?: number;
  /** Why it was not. */
  reason?: string;
}

/** Members that a decision about the network has, as far as they are known. */
export interface NetworkDecision {
  /** What the workload did. */
  what: 'connect' | 'datagram' | 'query' | 'tls' | 'http' | 'proxy' |
    'service' | 'publish' | (string & {});
  protocol?: 'tcp' | 'udp' | 'icmp';
  name?: string;
  address?: string;
  port?: number;
  /** DNS type of a `query`. */
  queryType?: number;
  /** What TLS or HTTP named instead. */
  asked?: string;
  reason?: string;
  /** Place of the rule that decided. */
  rule?: string;
  errno?: string;
  /** A sentence, for people and models. */
  message?: string;
  /** What would allow it, as an option of `mxc run`. */
  hint?: string;
}

/**
 * Members of a refusal: of the network, and with `reportDenials` of a file, a
 * program or a system call.
 */
export interface Refusal extends Omit<NetworkDecision, 'what'> {
  what: NetworkDecision['what'] | 'file' | 'exec' | 'socket' | 'syscall';
  /** A word for programs: `not_granted`, `read_only`, `default`, ... */
  reason: string;
  /** A sentence, for people and models. */
  message: string;
  /** Of a path. */
  operation?: 'read' | 'write' | 'create' | 'delete' | 'exec' | 'connect' |
    (string & {});
  /** As the program named it. */
  path?: string;
  /** From the root of the sandbox. */
  resolved?: string;
  /** The system call. */
  call?: string;
  /** What refused it. */
  mechanism?: string;
  /** Name of the process, and the number of its thread inside. */
  process?: string;
  pid?: number;
  /** Whether a policy can allow it, and the smallest clause that would. */
  allowable?: boolean;
  clause?: string;
  /** What the hint grants may be a secret. */
  secret?: boolean;
}

/** Each different refusal, once. */
export interface Denial extends Refusal {
  event: 'denied' | (string & {});
  /** How many times. */
  count: number;
}

/** What was used of what the policy grants; each different use once. */
export interface Access {
  event: 'access' | (string & {});
  what: 'file' | 'exec' | (string & {});
  operation: 'look' | 'read' | 'write' | 'create' | 'delete' | 'exec' | (string & {});
  /** As the program named it. */
  path: string;
  /** What that led to, from the root of the sandbox. */
  resolved: string;
  call?: string;
  process?: string;
  pid?: number;
  /** It was in the sandbox's memory, and is gone with it. */
  lost?: boolean;
  /** How many times. */
  count: number;
}

export interface PublishedAt {
  /** Port that the workload listens on. */
  guest: number;
  /** Port of this host's 127.0.0.1. */
  host: number;
}

interface At {
  /** Number in the stream, from 1; a gap takes those of what is missing. */
  seq: number;
  /** Milliseconds since 1970. */
  timeMs: number;
  /** Microseconds of a clock that is never set back. */
  monotonicUs: number;
  /** Option `correlationId`. */
  correlationId?: string;
}
/** With `verify: true`: the sandbox tried a wall of its own; before the start. */
export interface VerifiedEvent extends At {
  event: 'verified';
  clause: string;
  mechanism: string;
  state: 'held' | 'not tried';
  /** How often it was tried. */
  count?: number;
  /** Why it was not. */
  message?: string;
}
export interface StartedEvent extends At {
  event: 'started';
  backend?: string;
  tier?: string;
  containerId?: string;
  command?: string;
}
export interface WarningEvent extends At {
  event: 'warning';
  message: string;
}
export interface DeniedEvent extends At, Refusal {
  event: 'denied';
}
/** Something that the policy grants was used; with `reportAccesses`. */
export interface AccessEvent extends At, Omit<Access, 'event' | 'count'> {
  event: 'access';
}
/** What the network was used for. */
export interface ConnectionEvent extends At, NetworkDecision {
  event: 'connection';
  /** `failed`: by the peer or the network, not by a rule. */
  state: 'allowed' | 'failed' | 'closed' | (string & {});
  /** Number of the connection or flow: `allowed`, `closed`. */
  id?: number;
  /** These three: `closed`. */
  sent?: number;
  received?: number;
  durationMs?: number;
}
export interface PublishedEvent extends At, PublishedAt {
  event: 'published';
}
/** A limit was reached. */
export interface LimitEvent extends At {
  event: 'limit';
  of: string;
  message?: string;
  count?: number;
}
/** So many events are missing. */
export interface GapEvent extends At {
  event: 'gap';
  count: number;
  /** `reader`: it was too slow; `size`: there were too many; `gateway`, `broker`. */
  reason: 'reader' | 'size' | 'gateway' | 'broker' | (string & {});
}
/** The last one, where nothing is missing. */
export interface ExitedEvent extends At {
  event: 'exited';
  outcome: string;
  exitCode: number;
  signal?: number;
  durationMs: number;
  /** How often something was refused. */
  denials: number;
  message?: string;
}
export type MxcEvent =
  | VerifiedEvent
  | StartedEvent
  | WarningEvent
  | DeniedEvent
  | AccessEvent
  | ConnectionEvent
  | PublishedEvent
  | LimitEvent
  | GapEvent
  | ExitedEvent;

/** MXC's: what became of a record of refusals that the request asked for. */
export interface ExecutionMetadata {
  captureDenials?: CaptureDenialsResult;
  captureDenialsError?: CaptureDenialsError;
}
export interface CaptureDenialsResult {
  type: 'captureDenials';
  outputPath: string;
  exitCode: number;
  totalDenials: number;
  deniedResourcesTruncated: boolean;
  etlPath?: string;
}
export interface CaptureDenialsError {
  message: string;
  etlPath: string;
}

/** How it ended, and what mxc says about it. */
export interface WaitResult {
  /** The command's own; 128+N after signal N; -1 when it was killed. */
  exitCode: number;
  timedOut: boolean;
  /** Ours: the signal that ended the command, else 0. */
  signal: number;
  /** Ours: `exited`, `signaled`, `timed_out`, `killed` or `limited`. */
  outcome: 'exited' | 'signaled' | 'timed_out' | 'killed' | 'limited';
  /** Ours: of the command, from its start. */
  durationMs: number;
}

/** A limit that was reached. */
export interface LimitReached {
  /** Its name in a request: `memoryBytes`. */
  limit: string;
  value: number;
  count: number;
  /** It ended the run. */
  ended: boolean;
}

/** What mxc says about a run, beside how it ended. */
export interface Report {
  warnings: string[];
  outputMetadata?: ExecutionMetadata;
  /** Ours: the backend that ran it, and its tier. */
  backend?: string;
  tier?: Tier;
  /** Ours: each clause of the policy, and what held it. */
  receipt: ReceiptEntry[];
  /** Ours: with `verify: true`, what the sandbox tried of its walls. */
  verified: VerifiedClause[];
  /**
   * Ours: how often something was refused: by the network policy, and with
   * `reportDenials` of files, programs and system calls.
   */
  denialCount: number;
  /** Ours: each different refusal once: at most 64 of the network, 64 others. */
  denials: Denial[];
  /** Ours: how many refusals had no room in `denials`. */
  denialsNotListed: number;
  /** Ours: with `reportDenials`, how many calls failed of which it is not known
   * whether they were refused. */
  denialsLost: number;
  /** Ours: with `reportAccesses`, what was used; at most 16384. */
  accesses: Access[];
  /** Ours: how many uses are not in `accesses`. */
  accessesNotListed: number;
  /** Ours: published ports. */
  published: PublishedAt[];
  /** Ours: the limits that were reached. */
  limits: LimitReached[];
}

export interface ExecutionResult extends WaitResult, Report {
  /** UTF-8; what is none is U+FFFD. See `RunOptions.encoding`. */
  stdout: string;
  stderr: string;
  /** Ours: bytes that were left out, for `maxOutputBytes`. */
  stdoutLost: number;
  stderrLost: number;
  /** Ours: were some? */
  stdoutTruncated: boolean;
  stderrTruncated: boolean;
  /** Ours: then where, as an index into `stdout` and `stderr`. */
  stdoutGap?: number;
  stderrGap?: number;
  /** Ours: bytes that were written, with those that were left out. */
  stdoutTotal: number;
  stderrTotal: number;
  /** Ours: with `events: true`, what happened. */
  events?: MxcEvent[];
}

/** Ours: the same with the bytes as they came (`encoding: 'buffer'`). */
export interface BufferResult
  extends Omit<ExecutionResult, 'stdout' | 'stderr'> {
  stdout: Buffer;
  stderr: Buffer;
}

/** Options that every call takes. All but `telemetry` are ours. */
export interface CommonOptions {
  /** Checked, and without effect: mxc has no telemetry. */
  telemetry?: TelemetryConfig;
  /** Kills the run; the call rejects with an `AbortError`. */
  signal?: AbortSignal;
  /** Path of mxc, instead of the one that is found. */
  executable?: string;
}

export interface RunOptions extends CommonOptions {
  /** Standard input; empty when absent. */
  input?: string | Uint8Array;
  /** `'buffer'`: give the bytes as they are. */
  encoding?: 'utf8' | 'buffer';
  /**
   * Most of each stream that is kept (default 64 MiB): of more, the first and
   * the last half.
   */
  maxOutputBytes?: number;
  /** Collect what happens, in the result's `events`. */
  events?: boolean;
  /** Your word for this run, in every event: at most 128 bytes. */
  correlationId?: string;
  /** Tell what was refused of files, programs and system calls too. */
  reportDenials?: boolean;
  /** That, and what was used of what is granted. */
  reportAccesses?: boolean;
  /** Let the sandbox try its walls from inside, before its command starts. */
  verify?: boolean;
}

export interface SpawnOptions extends CommonOptions {
  /** Let `MxcProcess.events` have what happens. */
  events?: boolean;
  /** Your word for this run, in every event: at most 128 bytes. */
  correlationId?: string;
  /** Tell what was refused of files, programs and system calls too. */
  reportDenials?: boolean;
  /** That, and what was used of what is granted. */
  reportAccesses?: boolean;
  /** Let the sandbox try its walls from inside, before its command starts. */
  verify?: boolean;
}

export interface MxcPtySize {
  rows: number;
  columns: number;
}

export interface SpawnWithPtyOptions extends SpawnOptions {
  /** Default 24 rows, 80 columns. */
  size?: MxcPtySize;
}
