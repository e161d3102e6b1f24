import { killProcess } from '../../host/wait-for-end.ts';
import { WardianError } from '../../util/errors.ts';
import { removeContainer } from '../remove/remove-container.ts';
import type { RuntimeContext, Verb } from '../runtime-context.ts';
import { withContainerLock } from '../state/container-lock.ts';
import type { ContainerState } from '../state/container-state.ts';
import { type ContainerFolder, getContainerFolder, readState } from '../state/state-folder.ts';
import { getStatus, isLeftover } from '../state/status.ts';

/** `delete [--force] ID`: removes what is left of a container; with force it is killed first, and need not be there. */
export const delete_: Verb = async ({ flags, operands: [id = ''], context }) => {
  const isForced = flags.isSet('force');
  const folder = getContainerFolder(context.root, id);
  try {
    await deleteContainer(context, folder, { id, isForced });
  } catch (error) {
    const isGone = error instanceof WardianError && error.code === 'CONTAINER_NOT_FOUND';
    if (!isGone || !isForced) throw error;
  }
  return 0;
};

async function deleteContainer(
  context: RuntimeContext,
  folder: ContainerFolder,
  { id, isForced }: { id: string; isForced: boolean },
): Promise<void> {
  const seen = readState(folder, id);
  if (isForced) endMaker(seen);
  await withContainerLock(folder, async () => {
    const state = readState(folder, id);
    if (!isForced) checkDeletable(state);
    await removeContainer(context, state);
  });
}

/** Whoever makes it would go on doing so while it is removed. */
function endMaker(state: ContainerState): void {
  if (getStatus(state) === 'creating') killProcess(state.creator);
}

/** As runc and crun: one that waits for its start may go, one that runs may not. */
function checkDeletable(state: ContainerState): void {
  const status = getStatus(state);
  if (status === 'stopped' || status === 'created' || isLeftover(state)) return;
  throw new WardianError(
    'CONTAINER_RUNNING',
    `cannot delete container "${state.id}" that is not stopped: it is ${status}`,
    { hint: `kill it first, or: wardian-runtime delete --force ${state.id}` },
  );
}
