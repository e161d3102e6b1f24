import { toWardianError, WardianError } from '../../util/errors.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import { SandboxerCalls } from '../sandboxer/sandboxer-calls.ts';
import { withContainerLock } from '../state/container-lock.ts';
import type { ContainerState } from '../state/container-state.ts';
import { getContainerFolder, readState, writeState } from '../state/state-folder.ts';
import { describeState, getStatus } from '../state/status.ts';

/** Runs the process of a container that was made, and then the hooks that are to see it run. */
export async function startContainer(context: RuntimeContext, id: string): Promise<void> {
  const folder = getContainerFolder(context.root, id);
  readState(folder, id); // Before a lock is made in a folder that is not there.
  await withContainerLock(folder, async () => {
    const state = readState(folder, id);
    checkCreated(state);
    const sandboxer = new SandboxerCalls(context, state.key);
    try {
      await startInGuest(sandboxer, state);
      const started: ContainerState = { ...state, phase: 'started' };
      writeState(folder, started);
      await runPoststart(context, started);
      await sandboxer.replaceProvisional();
    } finally {
      sandboxer.close();
    }
  });
}

function checkCreated(state: ContainerState): void {
  const status = getStatus(state);
  if (status === 'created') return;
  if (status === 'stopped') {
    throw new WardianError(
      'CONTAINER_NOT_RUNNING',
      `cannot start a container that has stopped: "${state.id}"`,
      { hint: 'delete it, and create it anew' },
    );
  }
  throw new WardianError(
    'CONTAINER_RUNNING',
    `cannot start container "${state.id}": it is ${status} already`,
    { hint: 'a container is started once, when it was created' },
  );
}

async function startInGuest(sandboxer: SandboxerCalls, { key }: ContainerState): Promise<void> {
  let isAgain = false;
  try {
    await sandboxer.call('startContainer', { container: key }, async () => {
      isAgain = true;
    });
  } catch (error) {
    // The answer to our first call was lost; we hold the lock, so nobody else has started it.
    if (isAgain && toWardianError(error).code === 'CONTAINER_RUNNING') return;
    throw error;
  }
}

/** Their failure is told, and does not end what runs already (runtime-spec 1.2, runtime.md, lifecycle). */
async function runPoststart(context: RuntimeContext, state: ContainerState): Promise<void> {
  const { poststart } = state.hooks;
  if (poststart.length === 0) return;
  const { runAllHooks } = await import('../hooks/run-hooks.ts');
  const { bundle } = state;
  const oci = describeState(state, 'running');
  const run = {
    kind: 'poststart',
    hooks: poststart,
    state: oci,
    workingDirectory: bundle,
  } as const;
  for (const failure of await runAllHooks(run)) context.warn(failure);
}
