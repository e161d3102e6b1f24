import { formatJson } from '../../oci/runtime-spec/json.ts';
import { WardianError } from '../../util/errors.ts';
import { updateHostCgroups } from '../cgroups/host-cgroups.ts';
import type { Verb } from '../runtime-context.ts';
import { callSandboxer } from '../sandboxer/sandboxer-calls.ts';
import { withContainerLock } from '../state/container-lock.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';
import { getStatus } from '../state/status.ts';
import { readResources } from '../update/read-resources.ts';

/** `update ID`: changes limits, in the guest first, which knows how far its machine goes, and then on the host. */
export const update: Verb = async ({ flags, operands: [id = ''], context }) => {
  const folder = getContainerFolder(context.root, id);
  readState(folder, id); // Before a lock is made in a folder that is not there.
  const resources = readResources(flags);
  await withContainerLock(folder, async () => {
    const state = readState(folder, id);
    const status = getStatus(state);
    if (status === 'stopped' || status === 'creating') {
      throw new WardianError(
        'CONTAINER_NOT_RUNNING',
        `cannot update container "${id}": it is ${status}: container not running`,
      );
    }
    const { key, cgroups } = state;
    await callSandboxer({ context, key }, 'updateContainer', {
      container: key,
      resources: formatJson(resources),
    });
    updateHostCgroups(cgroups, resources);
  });
  return 0;
};
