import { WardianError } from '../../util/errors.ts';

/** A sound specification that asks for what Wardian does not do; docs/limits.md lists them all. */
export function unsupported(path: string, reason: string, hint?: string): WardianError {
  return new WardianError(
    'SPEC_UNSUPPORTED',
    `${path}: ${reason}`,
    hint === undefined ? {} : { hint },
  );
}

/** A specification that contradicts itself or the kernel. */
export function invalid(path: string, problem: string): WardianError {
  return new WardianError('SPEC_INVALID', `${path} ${problem}`);
}
