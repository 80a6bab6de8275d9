/* platform.ts - what this host can do, from `mxc doctor`. */
import { askSync } from './ask.js';
import { errorFromAnswer, MxcError } from './errors.js';
import { wireRequest } from './request.js';
import type { ContainerRequest, ContainmentBackend, Tier } from './types.js';

/** One thing that mxc wants of the host. */
export interface HostCheck {
  name: string;
  what: string;
  kind: 'needed' | 'wall' | 'policy' | 'extra';
  state: string;
  detail: string;
  /** Where it is missing: why, what that means, and what would mend it. */
  cause?: string;
  without?: string;
  remedy?: string;
  /** Of a wall that one may do without: its word for `--accept-missing`. */
  acceptMissing?: string;
}

/** One limit, and whether this host can hold it. */
export interface HostLimit {
  /** Its name in a request: `memoryBytes`. */
  limit: string;
  state: string;
  /** What would hold it. */
  by?: string;
}

/** One backend of this mxc, and whether it can be used here. */
export interface HostBackend {
  name: ContainmentBackend;
  tier: Tier;
  summary: string;
  state: string;
  /** What it can hold of a policy, in mxc's words. */
  enforces: string[];
  /** Where it cannot be used: why, and what would mend it. */
  cause?: string;
  remedy?: string;
}

/** What `mxc doctor --json` writes. */
export interface HostReport {
  /** Would a default run have all its walls? */
  ready: boolean;
  version: string;
  kernel: string;
  machine: string;
  /** Who would run it. */
  uid: number;
  /** What mxc itself runs in: a container, another sandbox, ... */
  around?: string;
  cgroups?: string;
  checks: HostCheck[];
  backends: HostBackend[];
  limits: HostLimit[];
  selfTest: { worked: boolean; durationMs: number; said: string };
}

export interface PlatformOptions {
  executable?: string;
}

export type BackendCapability =
  | 'captureDenials'
  | 'filesystemDeniedPaths'
  | 'filesystemEnumeratePaths'
  | 'ingressHostLoopbackAllow'
  | 'proxyEnforcement'
  | 'identitylessLoopbackProxy'
  /** Ours: rules for host names, ports of the host's loopback. */
  | 'hostNames'
  | 'loopbackPorts'
  | 'unknown';

export interface AvailableBackend {
  backend: ContainmentBackend | 'unknown';
  capabilities: BackendCapability[];
  warnings: string[];
  /** Ours. */
  tier: Tier;
}

export interface PlatformSupport {
  isSupported: boolean;
  reason?: string;
  availableMethods: ContainmentBackend[];
  unavailableReasons?: Partial<Record<ContainmentBackend, string>>;
}

/** Ours: MXC's has what Windows needs to know. */
export interface ProbeOutput extends HostReport {
  warnings: string[];
  /** Of the request, where one was given: why it would be refused. */
  error?: string;
}

function doctor(executable: string | undefined): HostReport {
  return JSON.parse(
    askSync(['doctor', '--json', '1'], '', executable),
  ) as HostReport;
}

function sentence(c: HostCheck): string {
  return `${c.what}: ${c.cause ?? c.state}` + (c.remedy ? ` (${c.remedy})` : '');
}

function missing(report: HostReport, ...kinds: HostCheck['kind'][]): string[] {
  return report.checks
    .filter((c) => c.state !== 'ok' && kinds.includes(c.kind))
    .map(sentence);
}

function hasNetwork(report: HostReport): boolean {
  return report.checks.some((c) => c.name === 'network' && c.state === 'ok');
}

/* What of `enforces` has a name among the capabilities. */
const CAPABILITIES: Readonly<Record<string, BackendCapability>> = {
  filesystem: 'filesystemDeniedPaths',
  networkProxy: 'proxyEnforcement',
  networkNames: 'hostNames',
  networkForward: 'loopbackPorts',
};

function capabilities(b: HostBackend, network: boolean): BackendCapability[] {
  return Object.keys(CAPABILITIES)
    .filter((f) => b.enforces.includes(f))
    .filter((f) => network || !f.startsWith('network'))
    .map((f) => CAPABILITIES[f] as BackendCapability);
}

function usable(report: HostReport): HostBackend[] {
  return report.backends.filter((b) => b.state === 'ok');
}

/** The backends that can be used here, as mxc prefers them. */
export function getAvailableBackends(
  options?: PlatformOptions,
): AvailableBackend[] {
  if (process.platform !== 'linux') return [];

  const report = doctor(options?.executable);

  return usable(report).map((b) => ({
    backend: b.name,
    capabilities: capabilities(b, hasNetwork(report)),
    warnings: missing(report, 'policy', 'extra'),
    tier: b.tier,
  }));
}

function lacks(report: HostReport): string {
  return missing(report, 'needed', 'wall').join('; ') || report.selfTest.said;
}

function whyNot(report: HostReport, b: HostBackend): string {
  if (b.name === 'native') return lacks(report) || (b.cause ?? b.state);
  return (b.cause ?? b.state) + (b.remedy ? ` (${b.remedy})` : '');
}

let support: PlatformSupport | undefined;

function askSupport(executable: string | undefined): PlatformSupport {
  if (process.platform !== 'linux')
    return {
      isSupported: false,
      reason: 'this version of mxc runs on Linux only',
      availableMethods: [],
    };

  let report: HostReport;

  try {
    report = doctor(executable);
  } catch (error) {
    if (!(error instanceof MxcError)) throw error;
    return {
      isSupported: false,
      reason: error.message,
      availableMethods: [],
      unavailableReasons: { native: error.message },
    };
  }

  const availableMethods = usable(report).map((b) => b.name);
  const unavailableReasons = Object.fromEntries(
    report.backends
      .filter((b) => b.state !== 'ok')
      .map((b) => [b.name, whyNot(report, b)]),
  );

  return {
    isSupported: report.ready,
    ...(!report.ready && { reason: lacks(report) }),
    availableMethods,
    ...(Object.keys(unavailableReasons).length && { unavailableReasons }),
  };
}

/** Can a request run here that names no containment? Asked once in the life of this process. */
export function getPlatformSupport(options?: PlatformOptions): PlatformSupport {
  if (options?.executable) return askSupport(options.executable);
  support ??= askSupport(undefined);
  return structuredClone(support);
}

/** What mxc sees of this host, and whether a request would run on it. */
export function probe(
  request?: ContainerRequest,
  options?: PlatformOptions,
): ProbeOutput {
  const report = doctor(options?.executable);
  const warnings = missing(report, 'needed', 'wall', 'policy', 'extra');

  if (!request) return { ...report, warnings };

  const answer = JSON.parse(
    askSync(
      ['check', '--json', '1', '-'],
      JSON.stringify(wireRequest(request)),
      options?.executable,
    ),
  ) as { warnings?: string[]; error?: unknown };

  return {
    ...report,
    warnings: [...warnings, ...(answer.warnings ?? [])],
    ...(answer.error !== undefined && {
      error: errorFromAnswer(answer.error).message,
    }),
  };
}
