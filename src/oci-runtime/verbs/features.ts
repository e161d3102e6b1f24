import { describeFeatures } from '../documents/features.ts';
import type { Verb } from '../runtime-context.ts';

/** `features`: prints what this runtime can do, as the specification's features structure. */
export const features: Verb = async ({ context }) => {
  context.print(`${JSON.stringify(describeFeatures(context.version), undefined, 2)}\n`);
  return 0;
};
