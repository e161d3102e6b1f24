import { WardianError } from '../../util/errors.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import { withContainerLock } from '../state/container-lock.ts';
import type { ContainerState } from '../state/container-state.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';
import { isLeftover } from '../state/status.ts';

/** Clears away what a command left of a container that died while it made it; true when there was something. */
export async function clearLeftover(context: RuntimeContext, id: string): Promise<boolean> {
  const folder = getContainerFolder(context.root, id);
  const state = readIfThere(() => readState(folder, id));
  if (state === undefined || !isLeftover(state)) return false;
  const { removeContainer } = await import('./remove-container.ts');
  await withContainerLock(folder, async () => {
    // Another command may have been quicker, and somebody made a new one.
    const now = readIfThere(() => readState(folder, id));
    if (now !== undefined && isLeftover(now)) await removeContainer(context, now);
  });
  return true;
}

function readIfThere(read: () => ContainerState): ContainerState | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof WardianError && error.code === 'CONTAINER_NOT_FOUND') return undefined;
    throw error;
  }
}
