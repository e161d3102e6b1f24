import { parseSignal } from '../../oci/signals.ts';
import { WardianError } from '../../util/errors.ts';
import type { Verb } from '../runtime-context.ts';
import { callSandboxer } from '../sandboxer/sandboxer-calls.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';
import { getStatus } from '../state/status.ts';

/** `kill [--all] ID [SIGNAL]`: sends a signal to the process of a container, or to all of them. */
export const kill: Verb = async ({ flags, operands: [id = '', name = 'TERM'], context }) => {
  const signal = parseSignal(name);
  const state = readState(getContainerFolder(context.root, id), id);
  const status = getStatus(state);
  if (status === 'stopped' || status === 'creating') {
    throw new WardianError(
      'CONTAINER_NOT_RUNNING',
      `cannot kill container "${id}": it is ${status}: container not running`,
    );
  }
  const { key } = state;
  const all = flags.isSet('all');
  await callSandboxer({ context, key }, 'kill', { container: key, signal, all });
  return 0;
};
