import type { Spec } from '../../oci/runtime-spec/types.ts';
import { WardianError } from '../../util/errors.ts';

/** What a process needs before it is a program of the container's: less has never been meant. */
const LOW_MEMORY_BYTES = 4n * 1024n * 1024n;

/** Says what a guest that failed cannot know to be the reason: a limit below what any program needs. */
export function explainFailure(error: WardianError, { linux }: Spec): WardianError {
  const limit = linux?.resources?.memory?.limit ?? 0n;
  if (error.code !== 'AGENT_FAILED' || limit <= 0n || limit >= LOW_MEMORY_BYTES) return error;
  const explained = new WardianError(
    error.code,
    `the memory limit of ${limit} bytes could be too low: ${error.message}`,
    { cause: error.cause, hint: 'give the container some megabytes' },
  );
  explained.cleanupErrors.push(...error.cleanupErrors);
  return explained;
}
