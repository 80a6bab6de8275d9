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

/** What the network policy refused, each different refusal once. */
export interface Denial extends NetworkDecision {
  event: 'denied' | (string & {});
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
  /** Milliseconds since 1970. */
  timeMs: number;
}
export interface AllowedEvent extends At, NetworkDecision {
  event: 'allowed';
  /** Number of the connection or flow. */
  id: number;
}
export interface DeniedEvent extends At, NetworkDecision {
  event: 'denied';
}
export interface FailedEvent extends At, NetworkDecision {
  event: 'failed';
}
export interface ClosedEvent extends At, NetworkDecision {
  event: 'closed';
  id: number;
  sent: number;
  received: number;
  durationMs: number;
}
export interface PublishedEvent extends At, PublishedAt {
  event: 'published';
}
/** A bound of the gateway's was reached. */
export interface LimitEvent extends At {
  event: 'limit';
  of: string;
}
/** The reader was too slow: so many events are missing. */
export interface LostEvent extends At {
  event: 'lost';
  count: number;
}
export type MxcEvent =
  | AllowedEvent
  | DeniedEvent
  | FailedEvent
  | ClosedEvent
  | PublishedEvent
  | LimitEvent
  | LostEvent;

/** MXC's; nothing on Linux makes any. */
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
  /** Ours: `exited`, `signaled`, `timed_out` or `killed`. */
  outcome: 'exited' | 'signaled' | 'timed_out' | 'killed';
  /** Ours: of the command, from its start. */
  durationMs: number;
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
  /** Ours: what the network policy refused; at most 64. */
  denials: Denial[];
  /** Ours: how many refusals had no room in `denials`. */
  denialsNotListed: number;
  /** Ours: published ports. */
  published: PublishedAt[];
}

export interface ExecutionResult extends WaitResult, Report {
  /** UTF-8; what is none is U+FFFD. See `RunOptions.encoding`. */
  stdout: string;
  stderr: string;
  /** Ours: bytes beyond `maxOutputBytes`, which were left out. */
  stdoutLost: number;
  stderrLost: number;
  /** Ours: with `events: true`, what the network was used for. */
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
  /** Most of each stream that is kept (default 64 MiB). */
  maxOutputBytes?: number;
  /** Collect what the network is used for. */
  events?: boolean;
}

export interface SpawnOptions extends CommonOptions {
  /** Let `MxcProcess.events` have what the network is used for. */
  events?: boolean;
}

export interface MxcPtySize {
  rows: number;
  columns: number;
}

export interface SpawnWithPtyOptions extends SpawnOptions {
  /** Default 24 rows, 80 columns. */
  size?: MxcPtySize;
}
