/* errors.ts - refusals and failures as exceptions.  A workload that failed is
 * a result, not an error. */
import type { ErrorCode } from './wire.js';

export type { ErrorCode } from './wire.js';

export interface MxcErrorFields {
  code: ErrorCode;
  message: string;
  /** The call that failed, where one did. */
  operation?: string;
  /** What that call said: the name of an errno. */
  nativeCode?: string;
  /** What would mend it. */
  remediation?: string;
  /** `where` in the request, by the names of the contract, and what else. */
  details?: Record<string, unknown>;
}

export class MxcError extends Error {
  readonly code: ErrorCode;
  declare readonly operation?: string;
  declare readonly nativeCode?: string;
  declare readonly remediation?: string;
  declare readonly details?: Record<string, unknown>;

  constructor(fields: MxcErrorFields);
  constructor(
    code: ErrorCode,
    message: string,
    details?: Record<string, unknown>,
  );
  constructor(
    what: ErrorCode | MxcErrorFields,
    message?: string,
    details?: Record<string, unknown>,
  ) {
    const f: MxcErrorFields =
      typeof what === 'string'
        ? { code: what, message: message ?? '', details }
        : what;

    super(f.message);
    this.name = 'MxcError';
    this.code = f.code;
    if (f.operation !== undefined) this.operation = f.operation;
    if (f.nativeCode !== undefined) this.nativeCode = f.nativeCode;
    if (f.remediation !== undefined) this.remediation = f.remediation;
    if (f.details !== undefined) this.details = f.details;
  }
}

/** The error of a code, one that this package does not know included. */
export function mxcErrorFromCode(
  code: string,
  message: string,
  details?: Record<string, unknown>,
): MxcError {
  return new MxcError({ code: code as ErrorCode, message, details });
}

/** What `signal` asked for has happened: nothing of the run is left. */
export class AbortError extends Error {
  readonly code = 'ABORT_ERR';

  constructor(cause?: unknown) {
    super('The operation was aborted', { cause });
    this.name = 'AbortError';
  }
}

/** @internal */
export function malformed(message: string, where?: string): MxcError {
  return new MxcError(
    'malformed_request',
    message,
    where === undefined ? undefined : { where },
  );
}

/* Line and column are those of a text that the caller never saw. */
function placeOf(details: unknown): Record<string, unknown> | undefined {
  if (typeof details !== 'object' || details === null) return undefined;

  const { line: _l, column: _c, ...rest } = details as Record<string, unknown>;

  return rest;
}

/** @internal The error object of the contract; anything else is a defect. */
export function errorFromAnswer(error: unknown): MxcError {
  const e = (error ?? {}) as Record<string, unknown>;
  const text = (value: unknown) =>
    typeof value === 'string' ? value : undefined;

  return new MxcError({
    code: (text(e.code) ?? 'backend_error') as ErrorCode,
    message: text(e.message) ?? 'mxc failed and did not say why',
    operation: text(e.operation),
    nativeCode: text(e.nativeCode),
    remediation: text(e.remediation),
    details: placeOf(e.details),
  });
}
