import { WardianError } from '../../src/util/errors.ts';
import { PackagesMissing } from './debian.ts';
import { CommandFailed } from './run.ts';

/** What a script tells people about an error that ended it: no stack, but what to do, where we know it. */
export function explain(error: unknown): string {
  if (error instanceof PackagesMissing) return error.message;
  const isHinting = error instanceof CommandFailed || error instanceof WardianError;
  if (isHinting && error.hint !== undefined) return `${error.message}\n  hint: ${error.hint}`;
  return error instanceof Error ? error.message : String(error);
}
