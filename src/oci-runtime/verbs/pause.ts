import { WardianError } from '../../util/errors.ts';
import type { RuntimeContext, Verb } from '../runtime-context.ts';
import { callSandboxer } from '../sandboxer/sandboxer-calls.ts';
import { withContainerLock } from '../state/container-lock.ts';
import { getContainerFolder, readState, writeState } from '../state/state-folder.ts';
import { getStatus } from '../state/status.ts';

/** `pause ID`: freezes every process of a container. */
export const pause: Verb = async ({ operands: [id = ''], context }) => {
  await setPaused(context, id, true);
  return 0;
};

/** `resume ID`: lets them go on. */
export const resume: Verb = async ({ operands: [id = ''], context }) => {
  await setPaused(context, id, false);
  return 0;
};

async function setPaused(context: RuntimeContext, id: string, isPaused: boolean): Promise<void> {
  const folder = getContainerFolder(context.root, id);
  readState(folder, id); // Before a lock is made in a folder that is not there.
  await withContainerLock(folder, async () => {
    const state = readState(folder, id);
    const status = getStatus(state);
    if (status !== (isPaused ? 'running' : 'paused')) throw wrongStatus(id, status, isPaused);
    const method = isPaused ? 'pauseContainer' : 'resumeContainer';
    await callSandboxer({ context, key: state.key }, method, { container: state.key });
    writeState(folder, { ...state, isPaused });
  });
}

function wrongStatus(id: string, status: string, isPaused: boolean): WardianError {
  const verb = isPaused ? 'pause' : 'resume';
  const words = status === 'stopped' ? ': container not running' : '';
  return new WardianError(
    'CONTAINER_NOT_RUNNING',
    `cannot ${verb} container "${id}": it is ${status}${words}`,
    { hint: isPaused ? 'one that runs can be paused' : 'one that is paused can be resumed' },
  );
}
