import { isProcessAlive } from '../../host/process-identity.ts';
import { WardianError } from '../../util/errors.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import type { ContainerState } from '../state/container-state.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';

/** A handful of system calls. */
const CLEAR_TIMEOUT_MS = 10_000;

/**
 * Takes a container's folder out of the share of the sandbox that it joined. Its stub does so itself; where it was
 * killed, the files would stay mounted, and busy, until the sandbox ends.
 */
export async function clearJoinedShare(
  { root, stubPath }: RuntimeContext,
  { key, sandbox }: ContainerState,
): Promise<void> {
  if (sandbox === undefined) return;
  const stub = findStub(root, sandbox);
  if (stub === undefined) return;
  const { runWithInput } = await import('../../host/run-with-input.ts');
  const { share } = getContainerFolder(root, sandbox);
  const namespace = `/proc/${stub.pid}/ns/mnt`;
  const end = await runWithInput({
    program: stubPath,
    argv: ['stub', 'clear', '--share', share, '--folder', key, '--share-namespace', namespace],
    environment: {},
    workingDirectory: '/',
    input: '',
    timeoutMs: CLEAR_TIMEOUT_MS,
  });
  if (end.exitCode === 0) return;
  throw new WardianError('INTERNAL', end.startError ?? `the share was not cleared: ${end.output}`);
}

/** That of the sandbox's own container; undefined when it has ended, and all mounts of the sandbox with it. */
function findStub(root: string, sandbox: string): ContainerState['stub'] {
  try {
    const { stub } = readState(getContainerFolder(root, sandbox), sandbox);
    return stub !== undefined && isProcessAlive(stub) ? stub : undefined;
  } catch (error) {
    if (error instanceof WardianError && error.code === 'CONTAINER_NOT_FOUND') return undefined;
    throw error;
  }
}
