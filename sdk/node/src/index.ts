/* index.ts - everything that this package has. */
export { run, spawn, spawnWithPty } from './run.js';
export { explain, validate, type ValidateResult } from './look.js';
export { MxcProcess } from './process.js';
export { MxcPtyProcess } from './pty.js';
export {
  Session,
  type CommandLimits,
  type SessionCommand,
  type SessionInfo,
  type SessionLayer,
  type SessionPolicy,
  type SessionProcess,
  type SessionPtyOptions,
  type SessionRunOptions,
  type SessionSpawnOptions,
  type SessionState,
  type StopSessionOptions,
} from './session.js';
export { SDK_CONTRACT_VERSION, shellLine } from './request.js';
export {
  AbortError,
  MxcError,
  mxcErrorFromCode,
  type ErrorCode,
  type MxcErrorFields,
} from './errors.js';
export * as policy from './policy/index.js';
export {
  getAvailableBackends,
  getPlatformSupport,
  probe,
  type AvailableBackend,
  type BackendCapability,
  type HostBackend,
  type HostCheck,
  type HostLimit,
  type HostReport,
  type PlatformOptions,
  type PlatformSupport,
  type ProbeOutput,
} from './platform.js';
export * from './lifecycle.js';
export * from './telemetry.js';
export type * from './types.js';
export type * as wire from './wire.js';
