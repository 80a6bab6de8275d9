/* request.ts - from a ContainerRequest to the text that mxc reads.  What a
 * field may hold is mxc's to judge, and it says where; here is only what the
 * wire could not show any more. */
import { randomBytes } from 'node:crypto';
import { malformed, MxcError } from './errors.js';
import { BASE_VERSION, SUPERSET_VERSION } from './wire.js';
import type * as Wire from './wire.js';
import type {
  CommonOptions,
  Containment,
  ContainerRequest,
  FilesystemPolicy,
  MxcPtySize,
  NetworkPolicy,
  UiPolicy,
} from './types.js';

/** Contract of requests that say nothing that MXC could not say. */
export const SDK_CONTRACT_VERSION = BASE_VERSION;

const REQUEST_KEYS = new Set([
  'command',
  'filesystem',
  'network',
  'ui',
  'timeoutMs',
  'containment',
  'containerName',
  'workingDirectory',
  'environment',
  'inheritDefaultEnvironment',
  'limits',
  'guarantees',
]);

const CONTAINMENT_KEYS = new Set(['type', 'config']);

/* What says how it is contained. */
const POLICY_KEYS = [
  'filesystem',
  'network',
  'ui',
  'containment',
  'limits',
  'guarantees',
] as const;

/* Section of the wire that holds a containment's config; null: it has none. */
const SECTIONS: Record<Containment['type'], keyof Wire.OneShot | null> = {
  process: null,
  native: null,
  bubblewrap: null,
  gvisor: null,
  isolation_session: null,
  vm: null,
  microvm: null,
  processcontainer: 'processContainer',
  wslc: 'wslc',
  lxc: 'lxc',
  seatbelt: 'seatbelt',
  hyperlight: 'hyperlight',
};
const SUPERSET_ONLY = new Set([
  'native',
  'gvisor',
  'vm',
  'microvm',
  'hyperlight',
]);

/** @internal */
export function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value)
  );
}

/** @internal */
export function onlyKeys(
  value: Record<string, unknown>,
  known: ReadonlySet<string>,
  what: string,
): void {
  for (const key of Object.keys(value)) {
    if (!known.has(key) && value[key] !== undefined)
      throw malformed(
        `unknown ${what} '${key}', expected one of ` +
          [...known].map((k) => `'${k}'`).join(', '),
        key,
      );
  }
}

/** A line for the shell that starts this program with these arguments. */
export function shellLine(words: readonly string[]): string {
  const quoted = words.map((word, i) => {
    if (typeof word !== 'string' || word.includes('\0'))
      throw malformed('must be a string without NUL', `command[${i}]`);
    return /^[\w@%+=:,./-]+$/.test(word) && !(i === 0 && word.includes('='))
      ? word
      : `'${word.replaceAll("'", `'\\''`)}'`;
  });

  return `exec ${quoted.join(' ')}`;
}

function commandLine(command: unknown): string {
  if (Array.isArray(command)) {
    if (command.length === 0 || command[0] === '' || /^-/.test(command[0]))
      throw malformed('must begin with a program', 'command');
    return shellLine(command as string[]);
  }
  if (typeof command !== 'string' || command === '')
    throw malformed('must be a non-empty string', 'command');
  return command;
}

function environment(env: unknown): string[] | undefined {
  if (env === undefined) return undefined;
  if (!isObject(env)) throw malformed('must be an object', 'environment');

  const entries: string[] = [];

  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (name === '' || name.includes('=') || name.includes('\0'))
      throw malformed(`no name of a variable: '${name}'`, 'environment');
    if (typeof value !== 'string')
      throw malformed(`variable '${name}' must be a string`, 'environment');
    entries.push(`${name}=${value}`);
  }
  return entries;
}

interface ProcessPart {
  command?: unknown;
  workingDirectory?: unknown;
  environment?: unknown;
  inheritDefaultEnvironment?: unknown;
  timeoutMs?: unknown;
}

/** @internal */
export function processSection(r: ProcessPart): Wire.Process {
  /* Not `??`: null is no way to say 'none', here as on the wire. */
  const timeout = r.timeoutMs === undefined ? 0 : r.timeoutMs;
  const process: Wire.Process = { commandLine: commandLine(r.command) };
  const env = environment(r.environment);

  if (
    typeof timeout !== 'number' ||
    !Number.isInteger(timeout) ||
    timeout < 0 ||
    timeout > 0xffffffff
  )
    throw malformed('must be an integer from 0 to 4294967295', 'timeoutMs');
  if (r.workingDirectory !== undefined)
    process.cwd = r.workingDirectory as string;
  if (env) process.env = env;
  if (r.inheritDefaultEnvironment)
    process.inheritDefaultEnv = r.inheritDefaultEnvironment as boolean;
  process.timeout = timeout;
  return process;
}

function filesystemSection(fs: FilesystemPolicy | undefined): Wire.Filesystem {
  if (fs !== undefined && !isObject(fs))
    throw malformed('must be an object', 'filesystem');

  const { clearPolicyOnExit: clear, ...rest } = (fs ?? {}) as FilesystemPolicy;

  if (clear !== undefined && typeof clear !== 'boolean')
    throw malformed('must be true or false', 'filesystem.clearPolicyOnExit');

  const { readwritePaths = [], readonlyPaths = [], deniedPaths = [] } = rest;

  return { ...rest, readwritePaths, readonlyPaths, deniedPaths };
}

function uiSection(ui: UiPolicy): Wire.Ui {
  if (!isObject(ui)) throw malformed('must be an object', 'ui');

  const { allowInputInjection, ...rest } = ui;

  return allowInputInjection === undefined
    ? rest
    : { ...rest, injection: allowInputInjection };
}

function splitNetwork(network: NetworkPolicy | undefined): {
  network?: Wire.Network;
  runtimeConfig?: Wire.RuntimeConfig;
} {
  if (network === undefined) return {};
  if (!isObject(network)) throw malformed('must be an object', 'network');

  const { runtimeConfig, ...rest } = network as NetworkPolicy;

  return Object.keys(rest).length || !runtimeConfig
    ? { network: rest, runtimeConfig }
    : { runtimeConfig };
}

function hasNames(rules: Wire.Egress['allow']): boolean {
  return (
    Array.isArray(rules) &&
    rules.some(
      (rule) =>
        Array.isArray(rule?.to) &&
        rule.to.some(
          (peer: unknown) =>
            isObject(peer) && ('host' in peer || 'intranet' in peer),
        ),
    )
  );
}

/* Does it say something that MXC's contract has no words for? */
function needsSuperset(w: Partial<Wire.OneShot>): boolean {
  const { network: n, runtimeConfig } = w;

  return (
    w.limits !== undefined ||
    w.guarantees !== undefined ||
    w.filesystem?.hardLinks !== undefined ||
    runtimeConfig?.filteringProxy !== undefined ||
    n?.ingress?.ports !== undefined ||
    n?.ingress?.hostServices !== undefined ||
    hasNames(n?.egress?.allow) ||
    hasNames(n?.egress?.deny) ||
    SUPERSET_ONLY.has(w.containment ?? '')
  );
}

function containmentOf(c: Containment | undefined): Containment {
  if (c === undefined) return { type: 'process' };
  if (!isObject(c)) throw malformed('must be an object', 'containment');
  if (!Object.hasOwn(SECTIONS, c.type))
    throw new MxcError(
      'unsupported_containment',
      `containment '${String(c.type)}' is not known`,
      { where: 'containment.type' },
    );
  onlyKeys(c, CONTAINMENT_KEYS, 'field');
  return c as Containment;
}

function section(c: Containment): Partial<Wire.OneShot> {
  const name = SECTIONS[c.type];
  const config = 'config' in c ? c.config : undefined;

  if (name === null) {
    if (config !== undefined)
      throw malformed(`'${c.type}' takes no config`, 'containment.config');
    return {};
  }
  if (c.type === 'lxc')
    return { lxc: { distribution: 'alpine', release: '3.23', ...c.config } };
  return config === undefined ? {} : { [name]: config };
}

/* JSON.stringify and `...` see an object's own fields alone, and of a Map or a
 * function nothing: a denial or a limit in one would be lost without a word. */
function checkPlain(value: unknown, where: string, depth = 0): void {
  if (typeof value === 'function' || typeof value === 'symbol')
    throw malformed(`no ${typeof value} has a place here`, where);
  if (typeof value !== 'object' || value === null || depth > 16) return;
  if (Array.isArray(value)) {
    value.forEach((v, i) => checkPlain(v, `${where}[${i}]`, depth + 1));
    return;
  }

  const proto: unknown = Object.getPrototypeOf(value);

  if (proto !== null && Object.getPrototypeOf(proto) !== null)
    throw malformed('must be a plain object', where);
  for (const [name, v] of Object.entries(value))
    checkPlain(v, `${where}.${name}`, depth + 1);
}

/** @internal The request as mxc reads it. */
export function wireRequest(
  request: ContainerRequest,
  telemetry?: Wire.Telemetry,
): Wire.OneShot {
  if (!isObject(request)) throw malformed('the request must be an object');
  onlyKeys(request, REQUEST_KEYS, 'field');

  const r = request as unknown as ContainerRequest;

  for (const name of POLICY_KEYS) checkPlain(r[name], name);

  const containment = containmentOf(r.containment);
  const body: Partial<Wire.OneShot> = {
    containerId: r.containerName ?? randomBytes(16).toString('hex'),
    containment: containment.type,
    lifecycle: {
      destroyOnExit: true,
      preservePolicy: r.filesystem?.clearPolicyOnExit === false,
    },
    process: processSection(r),
    filesystem: filesystemSection(r.filesystem),
    ...splitNetwork(r.network),
    ...section(containment),
  };

  if (r.ui !== undefined) body.ui = uiSection(r.ui);
  if (r.limits !== undefined) body.limits = r.limits;
  if (r.guarantees !== undefined) body.guarantees = r.guarantees;
  if (telemetry !== undefined) body.telemetry = telemetry;
  return {
    version: needsSuperset(body) ? SUPERSET_VERSION : BASE_VERSION,
    ...body,
  };
}

/** @internal What a session may touch, as mxc reads it. */
export function sessionRequest(
  policy: Pick<
    ContainerRequest,
    'filesystem' | 'network' | 'ui' | 'limits' | 'guarantees'
  > & { layer?: Wire.Session['layer'] },
  telemetry?: Wire.Telemetry,
): Wire.ProvisionProcess {
  for (const name of ['filesystem', 'network', 'ui', 'limits', 'guarantees'])
    checkPlain((policy as Record<string, unknown>)[name], name);

  const fs = filesystemSection(policy.filesystem);
  const { network, runtimeConfig } = splitNetwork(policy.network);

  if (policy.filesystem?.clearPolicyOnExit !== undefined)
    throw malformed('is not of a session', 'filesystem.clearPolicyOnExit');
  return {
    version: SUPERSET_VERSION,
    phase: 'provision',
    containment: 'process',
    filesystem: fs,
    network,
    runtimeConfig,
    ui: policy.ui === undefined ? undefined : uiSection(policy.ui),
    limits: policy.limits,
    guarantees: policy.guarantees,
    session: policy.layer === undefined ? undefined : { layer: policy.layer },
    telemetry,
  };
}

/** @internal A command of a session, as mxc reads it. */
export function execRequest(
  id: string,
  command: ProcessPart & { filesystem?: unknown },
  isOffline: boolean,
  telemetry?: Wire.Telemetry,
): Wire.Exec {
  checkPlain(command.filesystem, 'filesystem');
  return {
    version: SUPERSET_VERSION,
    phase: 'exec',
    sandboxId: id,
    process: processSection(command),
    filesystem: command.filesystem as Wire.Filesystem | undefined,
    network: isOffline ? { egress: { default: 'deny' } } : undefined,
    telemetry,
  };
}

function checkOption(options: object, name: string, type: string): void {
  const value = (options as Record<string, unknown>)[name];

  if (value !== undefined && typeof value !== type)
    throw malformed(`option '${name}' must be a ${type}`);
}

/** @internal */
export function checkOptions(
  options: CommonOptions | undefined,
  more: readonly string[] = [],
): void {
  if (options === undefined) return;
  if (!isObject(options)) throw malformed('the options must be an object');
  onlyKeys(
    options,
    new Set(['telemetry', 'signal', 'executable', ...more]),
    'option',
  );

  for (const name of ['events', 'reportDenials', 'reportAccesses', 'verify'])
    checkOption(options, name, 'boolean');
  checkOption(options, 'correlationId', 'string');

  const { telemetry, signal } = options as CommonOptions;

  if (telemetry !== undefined) {
    if (!isObject(telemetry)) throw malformed('must be an object', 'telemetry');
    onlyKeys(telemetry, new Set(['enabled']), 'field');
    if (!['boolean', 'undefined'].includes(typeof telemetry.enabled))
      throw malformed('must be a boolean', 'telemetry.enabled');
  }
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw malformed("option 'signal' must be an AbortSignal");
}

/** @internal */
export function checkSize(size: MxcPtySize): MxcPtySize {
  for (const name of ['rows', 'columns'] as const) {
    const n = size?.[name];

    if (!Number.isInteger(n) || n < 1 || n > 32767)
      throw malformed('must be an integer from 1 to 32767', `size.${name}`);
  }
  return size;
}
