import type { Command } from './command.ts';

/**
 * What is done most often, and waited for: these have a bundle of their own, a quarter of the whole, because the
 * loading of code is most of what a command costs before it does anything.
 */
export const QUICK_VERBS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./commands/run.ts')).run,
  exec: async () => (await import('./commands/exec.ts')).exec,
};

/** First words of a command line that the quick bundle answers. */
export const QUICK_WORDS: readonly string[] = [...Object.keys(QUICK_VERBS), '--version', '-v'];
