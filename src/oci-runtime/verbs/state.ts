import type { Verb } from '../runtime-context.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';
import { describeState, getStatus } from '../state/status.ts';

/** `state ID`: prints the state as JSON, in the form that runc gives it. */
export const state: Verb = async ({ operands: [id = ''], context }) => {
  const known = readState(getContainerFolder(context.root, id), id);
  const { annotations, ...described } = describeState(known, getStatus(known));
  const { rootfs, created, owner } = known;
  const shown = { ...described, rootfs, created, ...(annotations && { annotations }), owner };
  context.print(`${JSON.stringify(shown, undefined, 2)}\n`);
  return 0;
};
