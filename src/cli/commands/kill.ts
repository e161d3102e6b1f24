import { parseSignal } from '../../oci/signals.ts';
import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { forEachTarget } from '../for-each-target.ts';
import { selectTargets } from '../select-targets.ts';

/** `wardian kill`. */
export const kill = defineCommand(
  {
    name: 'kill',
    operands: 'CONTAINER...',
    summary: 'send a signal to containers',
    completes: 'container',
    flags: {
      all: { short: 'a', help: 'all that run' },
      signal: { short: 's', value: 'SIGNAL', help: 'its name or number (default KILL)' },
    },
  },
  ({ flags, operands }, context) => {
    const signal = parseSignal(flags.signal ?? 'KILL');
    return withSandboxer(context, async (client) => {
      const selection = { verb: 'kill', all: flags.all, operands, running: true };
      const targets = await selectTargets(client, selection);
      return forEachTarget(context, { targets }, async (container) => {
        await client.call('kill', { container, signal });
        return undefined;
      });
    });
  },
);
