/* What goes over the wire: the contract, as types.  Written by
 * tools/gen-docs from the tables of mxc. */

export interface OneShot {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Name of the container, where the backend has one. */
  containerId?: string;
  /** Backend, or kind of backend (default process). */
  containment?:
    | 'process'
    | 'vm'
    | 'microvm'
    | 'native'
    | 'bubblewrap'
    | 'lxc'
    | 'gvisor'
    | 'hyperlight'
    | 'seatbelt'
    | 'processcontainer'
    | 'windows_sandbox'
    | 'wslc'
    | 'isolation_session';
  /** What is left when the workload ends. */
  lifecycle?: Lifecycle;
  /** What to run; of a policy for a command, how. */
  process?: PolicyProcess;
  /** Files that the workload may reach. */
  filesystem?: Filesystem;
  /** Weaker means that the caller agrees to. */
  fallback?: Fallback;
  /** Network access; none when absent. */
  network?: Network;
  /** Settings of one run. */
  runtimeConfig?: RuntimeConfig;
  /** Display, clipboard and input. */
  ui?: Ui;
  /** Most that the workload may use. Only in 1.1.0+c1. */
  limits?: Limits;
  /** Least that its isolation must be. Only in 1.1.0+c1. */
  guarantees?: Guarantees;
  /** What a session has besides a run. Only in 1.1.0+c1. */
  session?: Session;
  /** Settings of a Windows process container. */
  processContainer?: ProcessContainer;
  /** Settings of an LXC container. */
  lxc?: Lxc;
  /** Settings of a macOS sandbox. */
  seatbelt?: Seatbelt;
  /** Settings of a WSL container. */
  wslc?: Wslc;
  /** Settings of a Hyperlight guest. Only in 1.1.0+c1. */
  hyperlight?: Hyperlight;
  /** Settings of Windows Sandbox. Only in 1.1.0+c1. */
  windowsSandbox?: WindowsSandbox;
  /** Without effect. Only in 1.1.0+c1. */
  test?: Test;
}

/** Only in 1.1.0+c1. */
export interface ProvisionProcess {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'provision';
  /** Backend that keeps the sandbox. */
  containment: 'process';
  /** Files that the workload may reach. */
  filesystem?: Filesystem;
  /** Network access; none when absent. */
  network?: Network;
  /** Settings of the sandbox. */
  runtimeConfig?: RuntimeConfig;
  /** Display, clipboard and input. */
  ui?: Ui;
  /** Most that the workload may use. */
  limits?: Limits;
  /** Least that its isolation must be. */
  guarantees?: Guarantees;
  /** What a session has besides a run. */
  session?: Session;
}

/** Only in 1.1.0+c1. */
export interface ProvisionNative {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'provision';
  /** Backend that keeps the sandbox. */
  containment: 'native';
  /** Files that the workload may reach. */
  filesystem?: Filesystem;
  /** Network access; none when absent. */
  network?: Network;
  /** Settings of the sandbox. */
  runtimeConfig?: RuntimeConfig;
  /** Display, clipboard and input. */
  ui?: Ui;
  /** Most that the workload may use. */
  limits?: Limits;
  /** Least that its isolation must be. */
  guarantees?: Guarantees;
  /** What a session has besides a run. */
  session?: Session;
}

/** Only in 1.1.0+c1. */
export interface ProvisionBubblewrap {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'provision';
  /** Backend that keeps the sandbox. */
  containment: 'bubblewrap';
  /** Files that the workload may reach. */
  filesystem?: Filesystem;
  /** Network access; none when absent. */
  network?: Network;
  /** Settings of the sandbox. */
  runtimeConfig?: RuntimeConfig;
  /** Display, clipboard and input. */
  ui?: Ui;
  /** Most that the workload may use. */
  limits?: Limits;
  /** Least that its isolation must be. */
  guarantees?: Guarantees;
  /** What a session has besides a run. */
  session?: Session;
}

/** Only in 1.1.0+c1. */
export interface ProvisionLxc {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'provision';
  /** Backend that keeps the sandbox. */
  containment: 'lxc';
  /** Files that the workload may reach. */
  filesystem?: Filesystem;
  /** Network access; none when absent. */
  network?: Network;
  /** Settings of the sandbox. */
  runtimeConfig?: RuntimeConfig;
  /** Display, clipboard and input. */
  ui?: Ui;
  /** Most that the workload may use. */
  limits?: Limits;
  /** Least that its isolation must be. */
  guarantees?: Guarantees;
  /** What a session has besides a run. */
  session?: Session;
  /** Settings of an LXC container. */
  lxc?: Lxc;
}

export interface ProvisionIsolationSession {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'provision';
  /** Backend that keeps the sandbox. */
  containment: 'isolation_session';
  /** Must say that everything is allowed. */
  network: IsolationSessionNetwork;
  /** Settings of an isolation session. */
  isolationSession?: IsolationSessionPhases;
}

export interface ProvisionWslc {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'provision';
  /** Backend that keeps the sandbox. */
  containment: 'wslc';
  /** Files that the workload may reach. */
  filesystem?: Filesystem;
  /** Network access; none when absent. */
  network?: Network;
  /** Settings of a WSL container. */
  wslc?: WslcPhases;
}

/** Only in 1.1.0+c1. */
export interface ProvisionWindowsSandbox {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'provision';
  /** Backend that keeps the sandbox. */
  containment: 'windows_sandbox';
  /** Files that the workload may reach. */
  filesystem?: Filesystem;
}

export interface Start {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'start';
  /** Sandbox that a provision request returned. */
  sandboxId: string;
}

export interface Exec {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'exec';
  /** Sandbox that a provision request returned. */
  sandboxId: string;
  /** What to run. */
  process: Process;
  /** Network access of this command. */
  network?: Network;
  /** Settings of one run. */
  runtimeConfig?: RuntimeConfig;
  /** What this command has less than the sandbox. Only in 1.1.0+c1. */
  filesystem?: Filesystem;
}

export interface Stop {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'stop';
  /** Sandbox that a provision request returned. */
  sandboxId: string;
}

export interface Deprovision {
  /** Version of the contract that the request is written in. */
  version: '1.0.0' | '1.1.0+c1';
  /** For editors; not looked at. */
  '$schema'?: string;
  /** For people; not looked at. */
  _comment?: unknown;
  /** Telemetry of the caller's product. */
  telemetry?: Telemetry;
  /** Step in the life of a sandbox. */
  phase: 'deprovision';
  /** Sandbox that a provision request returned. */
  sandboxId: string;
}

export interface Telemetry {
  /** Ask for telemetry. */
  enabled?: boolean;
}

export interface Lifecycle {
  /** Destroy the container when the workload ends (default true). */
  destroyOnExit?: boolean;
  /** Leave what the policy set up on the host in place. */
  preservePolicy?: boolean;
}

/** Only in 1.1.0+c1. */
export interface PolicyProcess {
  /** Command, as one line for the shell. */
  commandLine?: string;
  /** Working directory inside the sandbox. */
  cwd?: string;
  /** Environment as NAME=VALUE; replaces the default one. */
  env?: readonly string[];
  /** Keep the default environment and lay 'env' over it. */
  inheritDefaultEnv?: boolean;
  /** Milliseconds until the workload is killed; 0 means never. */
  timeout?: number;
}

export interface Filesystem {
  /** Paths that the workload may read and change. */
  readwritePaths?: readonly string[];
  /** Paths that the workload may read. */
  readonlyPaths?: readonly string[];
  /** Paths that are refused inside a granted one. */
  deniedPaths?: readonly string[];
  /**
   * Refuse the run when a writable path holds a file that has another name
   * elsewhere. Only in 1.1.0+c1.
   */
  hardLinks?: 'refuse';
}

export interface Fallback {
  /** Windows: allow a tier that changes access lists (default true). */
  allowDaclMutation?: boolean;
}

export interface Network {
  /** What the workload may connect to. */
  egress?: Egress;
  /** What may connect to the workload. */
  ingress?: Ingress;
}

export interface Egress {
  /** What happens when no rule matches (default deny). */
  default?: 'allow' | 'deny';
  /** Rules that let traffic out. */
  allow?: readonly NetworkRule[];
  /** Rules that refuse traffic; they beat 'allow'. */
  deny?: readonly NetworkRule[];
}

export interface NetworkRule {
  /** Destinations; every address when absent. */
  to?: readonly NetworkPeer[];
  /** Protocols and ports; all of them when absent. */
  ports?: readonly NetworkPort[];
}

export interface NetworkPeer {
  /** Address or block of addresses, IPv4 or IPv6. */
  cidr?: string;
  /** Blocks inside 'cidr' that do not match. */
  except?: readonly string[];
  /**
   * Host name, or '*.' and a name for all names below it; instead of 'cidr'.
   * Only in 1.1.0+c1.
   */
  host?: string;
  /** The name of 'host' may lead to private addresses. Only in 1.1.0+c1. */
  intranet?: boolean;
}

export interface NetworkPort {
  /** Protocol (default any). */
  protocol?: 'tcp' | 'udp' | 'icmp' | 'any';
  /** Destination port; every port when absent. */
  port?: number;
  /** Last port of a range that begins at 'port'. */
  endPort?: number;
}

export interface Ingress {
  /** New connections from outside (default deny). */
  default?: 'allow' | 'deny';
  /**
   * Connections between the sandbox and the host's loopback, both ways (default
   * deny).
   */
  hostLoopback?: 'allow' | 'deny';
  /**
   * Ports of the sandbox that the host's loopback has; needs hostLoopback
   * 'allow'. Only in 1.1.0+c1.
   */
  ports?: readonly PublishedPort[];
  /**
   * Ports of the host's loopback that the sandbox has; needs hostLoopback
   * 'allow'. Only in 1.1.0+c1.
   */
  hostServices?: readonly HostService[];
}

/** Only in 1.1.0+c1. */
export interface PublishedPort {
  /** Port that the workload listens on. */
  guest: number;
  /** Port of the host's loopback; 0, the default, picks a free one. */
  host?: number;
  /** Protocol. */
  protocol?: 'tcp';
}

/** Only in 1.1.0+c1. */
export interface HostService {
  /** Port that listens on the host's loopback. */
  host: number;
  /** Port of the sandbox's loopback that leads there (default the same). */
  guest?: number;
  /** Protocol. */
  protocol?: 'tcp';
}

export interface RuntimeConfig {
  /** URL of the only way out, an HTTP proxy on the host. */
  networkProxy?: string;
  /**
   * Run the built-in proxy inside, for programs that need one; the same rules
   * decide. Only in 1.1.0+c1.
   */
  filteringProxy?: boolean;
}

export interface Ui {
  /** No window, no display (default true). */
  disable?: boolean;
  /** Access to the clipboard (default none). */
  clipboard?: 'none' | 'read' | 'write' | 'all';
  /** Allow the workload to send input events. */
  injection?: boolean;
}

/** Only in 1.1.0+c1. */
export interface Limits {
  /** Memory of all processes together. */
  memoryBytes?: number;
  /** Swap besides memory (default 0 where memory is limited). */
  swapBytes?: number;
  /** Processes and threads at one time. */
  pids?: number;
  /** Share of processor time; 100 is one processor. */
  cpuPercent?: number;
  /** Processor time of all processes together. */
  cpuTimeMs?: number;
  /** Longest silence on both output streams. */
  idleOutputMs?: number;
  /** Open descriptors of one process. */
  openFiles?: number;
  /** Size of one written file. */
  fileSizeBytes?: number;
  /** Bytes in the private root, /tmp and /dev/shm together. */
  scratchBytes?: number;
  /** Files in the private root, /tmp and /dev/shm together. */
  scratchInodes?: number;
  /** Bytes added to each writable path. */
  writtenBytes?: number;
  /** Files added to each writable path. */
  writtenInodes?: number;
  /** Bytes on standard output and error together. */
  outputBytes?: number;
  /** Network connections at one time. */
  connections?: number;
  /** Bytes over the network, both ways. */
  networkBytes?: number;
  /** Names of limits that may go unheld where the host cannot hold them. */
  advisory?: readonly string[];
}

/** Only in 1.1.0+c1. */
export interface Guarantees {
  /**
   * Weakest isolation that will do: the host's kernel behind walls, a kernel of
   * its own in user space, or a virtual machine.
   */
  tier?: 'process' | 'kernel' | 'vm';
}

/** Only in 1.1.0+c1. */
export interface Session {
  /**
   * What is kept when it stops: 'private' keeps home, /tmp, /var/tmp, /opt and
   * /usr/local, 'system' also what is written over the base system (default:
   * nothing).
   */
  layer?: 'private' | 'system';
  /** Stop it after so many milliseconds without a process in it. */
  idleTimeout?: number;
  /** Stop it so many milliseconds after its start. */
  maxAge?: number;
}

export interface ProcessContainer {
  /** Run as a less privileged container. */
  leastPrivilege?: boolean;
  /** Record what would have been refused. */
  learningMode?: boolean;
  /** Capabilities of the container. */
  capabilities?: readonly string[];
  /** Record refusals. */
  captureDenials?: CaptureDenials;
  /** Further file rules. */
  filesystem?: ProcessContainerFilesystem;
  /** Further network rules. */
  network?: ProcessContainerNetwork;
  /** Further rules for the user interface. */
  ui?: ProcessContainerUi;
}

export interface CaptureDenials {
  /** Whether what is recorded is also refused. */
  mode?: 'block' | 'allow';
  /** File for the record. */
  outputPath?: string;
  /** Keep the trace that the record was made from. */
  retainEtl?: boolean;
}

export interface ProcessContainerFilesystem {
  /** Directories that may be listed. */
  enumeratePaths?: readonly string[];
}

export interface ProcessContainerNetwork {
  /** Identity that the proxy must have. */
  allowedProxyPeer?: string;
}

export interface ProcessContainerUi {
  /** What of the desktop is shared. */
  isolation?: 'container' | 'desktop' | 'handles' | 'atoms';
  /** Allow system control of the desktop. */
  desktopSystemControl?: boolean;
  /** System settings that may change. */
  systemSettings?: 'none' | 'parameters' | 'display' | 'all';
  /** Allow input methods. */
  ime?: boolean;
}

export interface Lxc {
  /** Distribution of the image. */
  distribution: string;
  /** Release of the distribution. */
  release: string;
}

export interface Seatbelt {
  /** Sandbox profile to use instead of the generated one. */
  profileOverride?: string;
  /** Allow windows. */
  guiAccess?: boolean;
  /** Allow the workload to make terminals (default true). */
  nestedPty?: boolean;
  /** Allow the key chain. */
  keychainAccess?: boolean;
  /** Mach services that the workload may look up. */
  extraMachLookups?: readonly string[];
}

export interface Wslc {
  /** Image to run. */
  image?: string;
  /** Archive to load the image from. */
  imageTarPath?: string;
  /** Directory for images and containers. */
  storagePath?: string;
  /** Operating system of the image. */
  targetOs?: string;
  /** Processors. */
  cpuCount?: number;
  /** Memory in MiB. */
  memoryMb?: number;
  /** Pass the GPU through. */
  gpu?: boolean;
  /** Ports of the container to publish. */
  portMappings?: readonly PortMapping[];
}

export interface PortMapping {
  /** Port on the host. */
  windowsPort: number;
  /** Port in the container. */
  containerPort: number;
  /** Protocol (default tcp). */
  protocol?: 'tcp';
}

/** Only in 1.1.0+c1. */
export interface Hyperlight {
  /** Guest that runs the command (default agent). */
  runtime?:
    | 'agent'
    | 'python'
    | 'python-shell'
    | 'node'
    | 'bash'
    | 'dotnet-jit';
}

/** Only in 1.1.0+c1. */
export interface WindowsSandbox {
  /** Kept for compatibility; without effect. */
  idleTimeoutMs?: number;
  /** Kept for compatibility; without effect. */
  idleTimeout?: number;
  /** Kept for compatibility; without effect. */
  daemonPipeName?: string;
}

/** Only in 1.1.0+c1. */
export interface Test {
  /** Without effect. */
  message?: string;
}

export interface IsolationSessionNetwork {
  /** What the workload may connect to. */
  egress: IsolationSessionEgress;
  /** What may connect to the workload. */
  ingress: IsolationSessionIngress;
}

export interface IsolationSessionEgress {
  /** Everything is let out. */
  default: 'allow';
}

export interface IsolationSessionIngress {
  /** Everything is let in. */
  default: 'allow';
  /** The host's loopback is shared. */
  hostLoopback: 'allow';
}

export interface IsolationSessionPhases {
  /** What this phase needs. */
  provision?: IsolationSessionProvision;
}

export interface IsolationSessionProvision {
  /** Application that the session belongs to. */
  appId?: string;
}

export interface WslcPhases {
  /** What this phase needs. */
  provision?: WslcProvision;
}

export interface WslcProvision {
  /** Image to run. */
  image?: string;
  /** Archive to load the image from. */
  imageTarPath?: string;
  /** Ports of the container to publish. Only in 1.1.0+c1. */
  portMappings?: readonly PortMapping[];
}

export interface Process {
  /** Command, as one line for the shell. */
  commandLine: string;
  /** Working directory inside the sandbox. */
  cwd?: string;
  /** Environment as NAME=VALUE; replaces the default one. */
  env?: readonly string[];
  /** Keep the default environment and lay 'env' over it. */
  inheritDefaultEnv?: boolean;
  /** Milliseconds until the workload is killed; 0 means never. */
  timeout?: number;
}

/** Code of an error, and its number. */
export const ERROR_NUMBERS = {
  malformed_request: 1,
  unsupported_containment: 2,
  unsupported_phase: 3,
  backend_unavailable: 4,
  malformed_id: 5,
  stale_id: 6,
  not_provisioned: 7,
  not_started: 8,
  already_started: 9,
  already_stopped: 10,
  policy_validation: 11,
  backend_error: 12,
} as const;

export type ErrorCode = keyof typeof ERROR_NUMBERS;

export const BASE_VERSION = '1.0.0';
export const SUPERSET_VERSION = '1.1.0+c1';
