import { createContainer } from '../create/create-container.ts';
import { checkConsole, readCreateFlags } from '../create/create-flags.ts';
import type { Verb } from '../runtime-context.ts';

/** `create ID`: makes a container from a bundle; its process waits for `start`. */
export const create: Verb = async (call) => {
  const isDetached = true;
  const request = readCreateFlags(call, isDetached);
  checkConsole(request, { isDetached });
  await createContainer(request);
  return 0;
};
