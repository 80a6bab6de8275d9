/* look.ts - what a request would do, without running it. */
import { ask, check } from './ask.js';
import { checkOptions, wireRequest } from './request.js';
import type {
  CommonOptions,
  ContainerRequest,
  ReceiptEntry,
  Tier,
} from './types.js';

export interface ValidateResult {
  warnings: string[];
  backend: string;
  tier?: Tier;
  /** Each clause of the policy, and what would hold it. */
  receipt: ReceiptEntry[];
}

/** Would it run here? Rejects with the error that `run` would have. */
export async function validate(
  request: ContainerRequest,
  options?: CommonOptions,
): Promise<ValidateResult> {
  checkOptions(options);

  const answer = await check(
    wireRequest(request, options?.telemetry),
    options,
  );

  return {
    warnings: answer.warnings ?? [],
    backend: answer.backend ?? '',
    tier: answer.tier,
    receipt: answer.receipt ?? [],
  };
}

/** What would be enforced, and by what: text, as `mxc explain` writes it. */
export async function explain(
  request: ContainerRequest,
  options?: CommonOptions,
): Promise<string> {
  checkOptions(options);

  const document = wireRequest(request, options?.telemetry);

  await check(document, options);
  return ask(['explain', '-'], JSON.stringify(document), options);
}
