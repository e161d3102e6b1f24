import type { FlagSpecs } from '../arguments/spec.ts';
import { DEFAULT_DETACH_KEYS } from '../terminal/detach-keys.ts';

/** What `run` and `exec` have in common. */
export const PROCESS_FLAGS = {
  interactive: { short: 'i', help: 'keep its standard input open' },
  tty: { short: 't', help: 'give it a terminal' },
  env: { short: 'e', value: 'NAME[=VALUE]', repeated: true, help: 'an environment variable' },
  'env-file': { value: 'FILE', repeated: true, help: 'a file with a variable on each line' },
  workdir: { short: 'w', value: 'PATH', help: 'the folder in which it starts' },
  user: { short: 'u', value: 'USER[:GROUP]', help: 'who it runs as, by name or number' },
  'detach-keys': {
    value: 'KEYS',
    help: `the keys that leave it running (default ${DEFAULT_DETACH_KEYS})`,
  },
} as const satisfies FlagSpecs;
