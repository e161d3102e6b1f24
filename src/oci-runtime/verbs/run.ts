import { createContainer } from '../create/create-container.ts';
import { checkConsole, readCreateFlags } from '../create/create-flags.ts';
import { removeContainer } from '../remove/remove-container.ts';
import type { Verb } from '../runtime-context.ts';
import { startContainer } from '../start/start-container.ts';
import { waitForStub } from '../start/wait-for-stub.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';

/** `run ID`: create and start; unless detached, waits for the end, deletes, and returns the process's exit code. */
export const run: Verb = async (call) => {
  const { context, flags } = call;
  const isDetached = flags.isSet('detach');
  const request = readCreateFlags(call);
  checkConsole(request, { isDetached });
  const { state, stub } = await createContainer(request);
  const remove = async () => {
    const folder = getContainerFolder(context.root, state.id);
    await removeContainer(context, readState(folder, state.id));
  };
  try {
    await startContainer(context, state.id);
  } catch (error) {
    await remove();
    throw error;
  }
  if (isDetached) return 0;
  const exitCode = await waitForStub(stub, context.signals);
  if (!flags.isSet('keep')) await remove();
  return exitCode;
};
