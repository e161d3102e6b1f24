import { parseSeconds } from '../arguments/values.ts';
import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { forEachTarget } from '../for-each-target.ts';
import { selectTargets } from '../select-targets.ts';

/** How long a container may take to stop when nothing is said, as in podman. */
export const DEFAULT_STOP_SECONDS = '10';

/** `wardian stop`. */
export const stop = defineCommand(
  {
    name: 'stop',
    operands: 'CONTAINER...',
    summary: 'end containers, gently first',
    completes: 'container',
    flags: {
      all: { short: 'a', help: 'all that run' },
      time: {
        short: 't',
        value: 'SECONDS',
        help: `how long they may take before they are killed (default ${DEFAULT_STOP_SECONDS})`,
      },
    },
  },
  ({ flags, operands }, context) => {
    const timeoutMs = parseSeconds('--time', flags.time ?? DEFAULT_STOP_SECONDS) * 1000;
    return withSandboxer(context, async (client) => {
      const selection = { verb: 'stop', all: flags.all, operands, running: true };
      const targets = await selectTargets(client, selection);
      return forEachTarget(context, { targets }, async (container) => {
        await client.call('stop', { container, timeoutMs });
        return undefined;
      });
    });
  },
);
