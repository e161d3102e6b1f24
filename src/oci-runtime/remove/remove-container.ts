import { readdirSync } from 'node:fs';
import { killProcess, waitForEnd } from '../../host/wait-for-end.ts';
import { Cleanup } from '../../util/cleanup.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';
import { runPoststop } from '../hooks/run-poststop.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import { SandboxerCalls } from '../sandboxer/sandboxer-calls.ts';
import type { ContainerState } from '../state/container-state.ts';
import { getContainerFolder, removeContainerFolder } from '../state/state-folder.ts';

/** What a stub has to do yet when its process has ended: write what nobody has read, at most. */
const STUB_TIMEOUT_MS = 2_000;
/** A killed one has the kernel to wait for. */
const KILLED_TIMEOUT_MS = 10_000;

/**
 * Removes all that is left of a container, and kills what still runs of it. Everything is tried; what failed is thrown
 * in the end, and the state is kept then, so that the next command can try again.
 */
export async function removeContainer(
  context: RuntimeContext,
  state: ContainerState,
): Promise<void> {
  // Last first: each has what the one before it in this list needs.
  const steps = new Cleanup();
  steps.defer('cgroups', () => removeCgroups(state));
  steps.defer('share', () => clearShare(context, state));
  steps.defer('stub', () => endStub(state));
  steps.defer('network', () => unwire(state));
  steps.defer('sandbox', () => removeFromSandboxer(context, state));
  const failures = await steps.run();
  if (failures.length > 0) {
    throw new WardianError('INTERNAL', `container "${state.id}": ${failures.join('; ')}`, {
      hint: 'mend that and delete it again',
    });
  }
  if (state.phase !== 'creating') await runPoststop(context, state);
  removeContainerFolder(context.root, getContainerFolder(context.root, state.id));
}

async function removeFromSandboxer(
  context: RuntimeContext,
  { key }: ContainerState,
): Promise<void> {
  // None is started to hear that nothing runs.
  if (!hasSandboxes(`${context.directories.runtime}/sandboxes`)) return;
  const sandboxer = new SandboxerCalls(context, key);
  try {
    await sandboxer.call('deleteContainer', { container: key });
  } finally {
    sandboxer.close();
  }
}

function hasSandboxes(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

async function endStub({ stub }: ContainerState): Promise<void> {
  if (stub === undefined || (await waitForEnd(stub, STUB_TIMEOUT_MS))) return;
  killProcess(stub);
  if (await waitForEnd(stub, KILLED_TIMEOUT_MS)) return;
  throw new WardianError('INTERNAL', `process ${stub.pid} does not end`);
}

async function unwire({ network }: ContainerState): Promise<void> {
  if (network === undefined) return;
  const { unwireNetwork } = await import('../../network/take-over-network.ts');
  await unwireNetwork(network);
}

async function clearShare(context: RuntimeContext, state: ContainerState): Promise<void> {
  if (state.sandbox === undefined) return;
  const { clearJoinedShare } = await import('./clear-joined-share.ts');
  await clearJoinedShare(context, state);
}

async function removeCgroups({ cgroups }: ContainerState): Promise<void> {
  if (cgroups.directories.length === 0) return;
  const { deleteHostCgroups } = await import('../cgroups/delete-cgroups.ts');
  await deleteHostCgroups(cgroups);
}
