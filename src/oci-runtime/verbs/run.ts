import { WardianError } from '../../util/errors.ts';
import { createContainer } from '../create/create-container.ts';
import { checkConsole, readCreateFlags } from '../create/create-flags.ts';
import { removeContainer } from '../remove/remove-container.ts';
import type { RuntimeContext, Verb } from '../runtime-context.ts';
import { SignalRelay } from '../start/signal-relay.ts';
import { startContainer } from '../start/start-container.ts';
import { withContainerLock } from '../state/container-lock.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';

/** `run ID`: create and start; unless detached, waits for the end, deletes, and returns the process's exit code. */
export const run: Verb = async (call) => {
  const { context, flags } = call;
  const isDetached = flags.isSet('detach');
  const request = readCreateFlags(call, isDetached);
  checkConsole(request, { isDetached });
  const relay = new SignalRelay(context.signals);
  try {
    const { stub } = await createContainer(request);
    const { exitCode } = relay;
    if (exitCode !== undefined) {
      await remove(context, request.id);
      return exitCode;
    }
    relay.passOnTo(stub);
    await startOrRemove(context, request.id);
    if (isDetached) return 0;
    const ended = await stub.exited;
    if (!flags.isSet('keep')) await remove(context, request.id);
    return ended;
  } finally {
    relay.stop();
  }
};

async function startOrRemove(context: RuntimeContext, id: string): Promise<void> {
  try {
    await startContainer(context, id);
  } catch (error) {
    await remove(context, id);
    throw error;
  }
}

/** Somebody else may have deleted it, which is as good. */
async function remove(context: RuntimeContext, id: string): Promise<void> {
  const folder = getContainerFolder(context.root, id);
  try {
    await withContainerLock(folder, () => removeContainer(context, readState(folder, id)));
  } catch (error) {
    const isGone = error instanceof WardianError && error.code === 'CONTAINER_NOT_FOUND';
    if (!isGone) throw error;
  }
}
