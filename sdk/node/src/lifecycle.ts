/* lifecycle.ts - sandboxes that are kept between commands.
 *
 * The calls and their types are those of MXC.  mxc reads and judges such
 * requests, and has no backend yet that keeps sandboxes: what is well formed
 * is refused with `unsupported_phase`. */
import { check } from './ask.js';
import { MxcError, malformed } from './errors.js';
import type { MxcProcess } from './process.js';
import type { MxcPtyProcess } from './pty.js';
import {
  checkOptions,
  checkSize,
  isObject,
  processSection,
  SDK_CONTRACT_VERSION,
} from './request.js';
import type {
  CommonOptions,
  ExecutionResult,
  FilesystemPolicy,
  MxcPtySize,
  NetworkPolicy,
  NetworkRuntimeConfig,
  RunOptions,
  SpawnOptions,
  TelemetryConfig,
} from './types.js';

export type LifecycleContainmentKind = 'isolation_session' | 'wslc';

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
export type SpawnInContainerOptions = SpawnOptions;
export type RunInContainerOptions = RunOptions;
export interface SpawnInContainerWithPtyOptions extends SpawnOptions {
  size?: MxcPtySize;
}

const PREFIXES: Record<string, LifecycleContainmentKind | null> = {
  iso: 'isolation_session',
  wslc: 'wslc',
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

function unsupported(phase: string, cause?: MxcError): MxcError {
  return new MxcError({
    code: 'unsupported_phase',
    message:
      `'${phase}': this version of mxc keeps no sandboxes` +
      (cause ? ` (${cause.message})` : ''),
    remediation: 'run() or spawn() a sandbox for each command',
  });
}

/* mxc judges the form of the document first. */
async function ask(
  document: { phase: string } & Record<string, unknown>,
  options: CommonOptions | undefined,
): Promise<never> {
  try {
    await check({ version: SDK_CONTRACT_VERSION, ...document }, options);
  } catch (error) {
    if (
      error instanceof MxcError &&
      error.code === 'malformed_request' &&
      /\blifecycle request\b/.test(error.message)
    )
      throw unsupported(document.phase, error);
    throw error;
  }
  throw unsupported(document.phase);
}

async function provision(
  request: unknown,
  options: CommonOptions | undefined,
): Promise<never> {
  checkOptions(options);
  if (!isObject(request)) throw malformed('the request must be an object');

  const { containment, telemetry, filesystem, network, ...rest } = request;

  if (containment !== 'isolation_session' && containment !== 'wslc')
    throw new MxcError(
      'unsupported_containment',
      `containment '${String(containment)}' cannot be kept`,
    );

  const { runtimeConfig, ...directions } = isObject(network) ? network : {};
  const section = containment === 'wslc' ? 'wslc' : 'isolationSession';

  return ask(
    {
      phase: 'provision',
      containment,
      telemetry: options?.telemetry ?? telemetry,
      filesystem,
      network: network === undefined ? undefined : directions,
      runtimeConfig,
      [section]: Object.keys(rest).length ? { provision: rest } : undefined,
    },
    options,
  );
}

async function step(
  phase: 'start' | 'stop' | 'deprovision',
  id: unknown,
  options: CommonOptions | undefined,
): Promise<never> {
  checkOptions(options);
  checkId(id);
  return ask({ phase, sandboxId: id, telemetry: options?.telemetry }, options);
}

async function exec(
  id: unknown,
  request: unknown,
  options: CommonOptions | undefined,
  more: readonly string[],
): Promise<never> {
  checkOptions(options, more);
  checkId(id);
  if (!isObject(request)) throw malformed('the request must be an object');

  const { network, telemetry, ...process } = request;

  return ask(
    {
      phase: 'exec',
      sandboxId: id,
      process: processSection(process),
      telemetry: options?.telemetry ?? telemetry,
      ...(isObject(network) && network),
    },
    options,
  );
}

export async function provisionContainer<C extends LifecycleContainmentKind>(
  request: ProvisionRequest<C> & { containment: C },
  options?: ProvisionOptions,
): Promise<ProvisionResult<C>> {
  return provision(request, options);
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
  return exec(containerId, request, options, [
    'input',
    'encoding',
    'maxOutputBytes',
    'events',
  ]);
}

export async function spawnInContainer<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  request: ExecutionRequest<C>,
  options?: SpawnInContainerOptions,
): Promise<MxcProcess> {
  return exec(containerId, request, options, ['events']);
}

export async function spawnInContainerWithPty<
  C extends LifecycleContainmentKind,
>(
  containerId: ContainerId<C>,
  request: ExecutionRequest<C>,
  options?: SpawnInContainerWithPtyOptions,
): Promise<MxcPtyProcess> {
  if (options?.size) checkSize(options.size);
  return exec(containerId, request, options, ['events', 'size']);
}

export async function validateProvision<C extends LifecycleContainmentKind>(
  request: ProvisionRequest<C> & { containment: C },
  options?: ProvisionOptions,
): Promise<ValidationResult> {
  return provision(request, options);
}

export async function validateStart<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: StartOptions,
): Promise<ValidationResult> {
  return step('start', containerId, options);
}

export async function validateStop<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: StopOptions,
): Promise<ValidationResult> {
  return step('stop', containerId, options);
}

export async function validateDeprovision<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  options?: DeprovisionOptions,
): Promise<ValidationResult> {
  return step('deprovision', containerId, options);
}

export async function validateProcess<C extends LifecycleContainmentKind>(
  containerId: ContainerId<C>,
  request: ExecutionRequest<C>,
  options?: SpawnInContainerOptions,
): Promise<ValidationResult> {
  return exec(containerId, request, options, ['events']);
}
