/* lifecycle.ts - MXC's calls for sandboxes that are kept between commands.
 *
 * Their types are MXC's, with a containment of ours: `native`, the sessions of
 * this host (session.ts).  What is for Windows alone mxc reads, and refuses. */
import { check } from './ask.js';
import { MxcError, malformed } from './errors.js';
import type { MxcProcess } from './process.js';
import type { MxcPtyProcess } from './pty.js';
import {
  checkOptions,
  isObject,
  processSection,
  SDK_CONTRACT_VERSION,
  sessionRequest,
} from './request.js';
import { checkRun, runText, spawnText, spawnTextWithPty } from './run.js';
import { phase, provision, type SessionPolicy } from './session.js';
import type {
  CommonOptions,
  ExecutionResult,
  FilesystemPolicy,
  MxcPtySize,
  NetworkPolicy,
  NetworkRuntimeConfig,
  RunOptions,
  TelemetryConfig,
} from './types.js';

export type LifecycleContainmentKind = 'isolation_session' | 'wslc' | 'native';

/** Opaque; made by provisionContainer. */
export type ContainerId<
  C extends LifecycleContainmentKind = LifecycleContainmentKind,
> = string & {
  readonly __mxcBrand: 'ContainerId';
  readonly __mxcBackend: C;
};

export interface IsolationSessionNetworkConfig {
  egress: { default: 'allow'; allow?: never; deny?: never };
  ingress: { default: 'allow'; hostLoopback: 'allow' };
}
export interface IsolationSessionProvisionMetadata {
  agentUserName: string;
  agentUserSid: string;
  ephemeralWorkspacePath: string;
}

interface ProvisionConfigs {
  isolation_session: {
    network: IsolationSessionNetworkConfig;
    appId?: string;
    telemetry?: TelemetryConfig;
  };
  wslc: {
    filesystem?: FilesystemPolicy;
    network?: NetworkPolicy;
    image?: string;
    imageTarPath?: string;
    telemetry?: TelemetryConfig;
  };
  /** Ours. */
  native: Pick<
    SessionPolicy,
    'filesystem' | 'network' | 'ui' | 'limits' | 'guarantees'
  > & { telemetry?: TelemetryConfig };
}
export type ProvisionRequest<
  C extends LifecycleContainmentKind = LifecycleContainmentKind,
> = C extends LifecycleContainmentKind
  ? ProvisionConfigs[C] & { containment: C }
  : never;

export interface ProcessNetworkConfig {
  runtimeConfig?: NetworkRuntimeConfig;
}
export interface ExecutionRequest<
  C extends LifecycleContainmentKind = LifecycleContainmentKind,
> {
  command: string | readonly string[];
  workingDirectory?: string;
  environment?: { readonly [name: string]: string | undefined };
  inheritDefaultEnvironment?: boolean;
  timeoutMs?: number;
  network?: C extends 'wslc' ? ProcessNetworkConfig : never;
  telemetry?: TelemetryConfig;
}

export interface ContainerMetadata {
  isolation_session: { provision?: IsolationSessionProvisionMetadata };
  wslc: Record<never, never>;
  native: Record<never, never>;
}
export type ProvisionMetadata<
  C extends LifecycleContainmentKind = LifecycleContainmentKind,
> = C extends 'isolation_session'
  ? IsolationSessionProvisionMetadata | undefined
  : undefined;
export interface ValidationResult {
  warnings: string[];
}
export interface LifecycleResult {
  warnings: string[];
}
export interface ProvisionResult<C extends LifecycleContainmentKind> {
  containerId: ContainerId<C>;
  metadata?: ProvisionMetadata<C>;
  warnings: string[];
}

export type ProvisionOptions = CommonOptions;
export type StartOptions = CommonOptions;
export type StopOptions = CommonOptions;
export type DeprovisionOptions = CommonOptions;
export type SpawnInContainerOptions = CommonOptions;
export type RunInContainerOptions = Omit<
  RunOptions,
  | 'encoding'
  | 'events'
  | 'correlationId'
  | 'reportDenials'
  | 'reportAccesses'
  | 'verify'
>;
export interface SpawnInContainerWithPtyOptions extends CommonOptions {
  size?: MxcPtySize;
}

const PREFIXES: Record<string, LifecycleContainmentKind | null> = {
  iso: 'isolation_session',
  wslc: 'wslc',
  native: 'native',
  wsb: null,
};

function checkId(id: unknown): void {
  const prefix = typeof id === 'string' ? id.split(':', 1)[0] : undefined;

  if (typeof id !== 'string' || !id.includes(':') || !prefix)
    throw new MxcError(
      'malformed_id',
      `container id '${String(id)}' is not of the form 'prefix:...'`,
    );
  if (!Object.hasOwn(PREFIXES, prefix))
    throw new MxcError('malformed_id', `no backend has ids of '${prefix}:'`);
  if (PREFIXES[prefix] === null)
    throw new MxcError(
      'unsupported_containment',
      `containers of '${prefix}:' are not for this call`,
    );
}

async function validated(
  document: object,
  options: CommonOptions | undefined,
): Promise<ValidationResult> {
  const { warnings } = await check(document, options);

  return { warnings: warnings ?? [] };
}

function provisionDocument(
  request: unknown,
  options: CommonOptions | undefined,
): object {
  checkOptions(options);
  if (!isObject(request)) throw malformed('the request must be an object');

  const { containment, telemetry, filesystem, network, ...rest } = request;

  if (containment === 'native')
    return {
      ...rest,
      ...sessionRequest(
        request as SessionPolicy,
        (options?.telemetry ?? telemetry) as TelemetryConfig | undefined,
      ),
      containment,
    };
  if (containment !== 'isolation_session' && containment !== 'wslc')
    throw new MxcError(
      'unsupported_containment',
      `containment '${String(containment)}' cannot be kept`,
    );

  const { runtimeConfig, ...directions } = isObject(network) ? network : {};
  const section = containment === 'wslc' ? 'wslc' : 'isolationSession';

  return {
    version: SDK_CONTRACT_VERSION,
    phase: 'provision',
    containment,
    telemetry: options?.telemetry ?? telemetry,
    filesystem,
    network: network === undefined ? undefined : directions,
    runtimeConfig,
    [section]: Object.keys(rest).length ? { provision: rest } : undefined,
  };
}

function stepDocument(
  phase: 'start' | 'stop' | 'deprovision',
  id: unknown,
  options: CommonOptions | undefined,
): object {
  checkOptions(options);
  checkId(id);
  return {
    version: SDK_CONTRACT_VERSION,
    phase,
    sandboxId: id,
    telemetry: options?.telemetry,
  };
}

async function step(
  name: 'start' | 'stop' | 'deprovision',
  id: string,
  options: CommonOptions | undefined,
): Promise<LifecycleResult> {
  checkOptions(options);
  checkId(id);

  const { warnings } = await phase([name, id], options);

  return { warnings: (warnings ?? []) as string[] };
}

function execDocument(
  id: unknown,
  request: unknown,
  options: CommonOptions | undefined,
): object {
  checkId(id);
  if (!isObject(request)) throw malformed('the request must be an object');

  const { network, telemetry, ...process } = request;

  return {
    version: SDK_CONTRACT_VERSION,
    phase: 'exec',
    sandboxId: id,
    process: processSection(process),
    telemetry: options?.telemetry ?? telemetry,
    ...(isObject(network) && network),
  };
}

export async function provisionContainer<C extends LifecycleContainmentKind>(
  request: ProvisionRequest<C> & { containment: C },
  options?: ProvisionOptions,
): Promise<ProvisionResult<C>> {
  const document = provisionDocument(request, options);
  const made = await provision([], options, document);

  return {
    containerId: made.sandboxId as ContainerId<C>,
    warnings: (made.warnings ?? []) as string[],
  };
}

export async function startContainer<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: StartOptions,
): Promise<LifecycleResult> {
  return step('start', containerId, options);
}

export async function stopContainer<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: StopOptions,
): Promise<LifecycleResult> {
  return step('stop', containerId, options);
}

export async function deprovisionContainer<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: DeprovisionOptions,
): Promise<LifecycleResult> {
  return step('deprovision', containerId, options);
}

export async function runInContainer<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  request: ExecutionRequest<C>,
  options?: RunInContainerOptions,
): Promise<ExecutionResult> {
  const most = checkRun(options, ['input', 'maxOutputBytes']);
  const document = execDocument(containerId, request, options);

  return (await runText(JSON.stringify(document), options, most, {
    session: containerId,
  })) as ExecutionResult;
}

export async function spawnInContainer<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  request: ExecutionRequest<C>,
  options?: SpawnInContainerOptions,
): Promise<MxcProcess> {
  checkOptions(options);
  return spawnText(
    JSON.stringify(execDocument(containerId, request, options)),
    options,
    { session: containerId },
  );
}

export async function spawnInContainerWithPty<
  C extends LifecycleContainmentKind,
>(
  containerId: ContainerId<C>,
  request: ExecutionRequest<C>,
  options?: SpawnInContainerWithPtyOptions,
): Promise<MxcPtyProcess> {
  checkOptions(options, ['size']);
  return spawnTextWithPty(
    JSON.stringify(execDocument(containerId, request, options)),
    options,
    { session: containerId },
  );
}

export async function validateProvision<C extends LifecycleContainmentKind>(
  request: ProvisionRequest<C> & { containment: C },
  options?: ProvisionOptions,
): Promise<ValidationResult> {
  return validated(provisionDocument(request, options), options);
}

export async function validateStart<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: StartOptions,
): Promise<ValidationResult> {
  return validated(stepDocument('start', containerId, options), options);
}

export async function validateStop<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: StopOptions,
): Promise<ValidationResult> {
  return validated(stepDocument('stop', containerId, options), options);
}

export async function validateDeprovision<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: DeprovisionOptions,
): Promise<ValidationResult> {
  return validated(stepDocument('deprovision', containerId, options), options);
}

export async function validateProcess<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  request: ExecutionRequest<C>,
  options?: SpawnInContainerOptions,
): Promise<ValidationResult> {
  checkOptions(options);
  return validated(execDocument(containerId, request, options), options);
}
