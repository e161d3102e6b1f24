import type { Verb } from '../runtime-context.ts';
import { startContainer } from '../start/start-container.ts';

/** `start ID`: runs the process of a container that was made. */
export const start: Verb = async ({ operands: [id = ''], context }) => {
  await startContainer(context, id);
  return 0;
};
