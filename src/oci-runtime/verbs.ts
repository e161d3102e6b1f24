import type { VerbName } from './arguments/verb-flags.ts';
import type { Verb } from './runtime-context.ts';

/** Where each verb is; loaded when it is called for. */
export const VERBS: Readonly<Partial<Record<VerbName, () => Promise<Verb>>>> = {
  state: async () => (await import('./verbs/state.ts')).state,
};
