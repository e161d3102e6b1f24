import { WardianError } from '../../util/errors.ts';
import { parseSeconds } from '../arguments/values.ts';
import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { forEachTarget } from '../for-each-target.ts';
import { selectTargets } from '../select-targets.ts';
import { DEFAULT_STOP_SECONDS } from './stop.ts';

/** `wardian rm`. */
export const rm = defineCommand(
  {
    name: 'rm',
    operands: 'CONTAINER...',
    summary: 'remove containers',
    completes: 'container',
    flags: {
      all: { short: 'a', help: 'all of them' },
      force: { short: 'f', help: 'those that run, too; ones that do not exist are no failure' },
      ignore: { short: 'i', help: 'ones that do not exist are no failure' },
      time: {
        short: 't',
        value: 'SECONDS',
        help: `with --force, how long they may take to stop (default ${DEFAULT_STOP_SECONDS})`,
      },
    },
    refused: { '-v': 'there are no volumes yet', '--volumes': 'there are no volumes yet' },
  },
  ({ flags, operands }, context) => {
    const timeoutMs = parseSeconds('--time', flags.time ?? DEFAULT_STOP_SECONDS) * 1000;
    return withSandboxer(context, async (client) => {
      const selection = { verb: 'rm', all: flags.all, operands, running: false };
      const targets = await selectTargets(client, selection);
      const remove = async (container: string): Promise<undefined> => {
        try {
          await client.call('remove', { container, force: flags.force, timeoutMs });
        } catch (error) {
          const isMissing = error instanceof WardianError && error.code === 'CONTAINER_NOT_FOUND';
          if (!isMissing || !(flags.force || flags.ignore)) throw error;
        }
      };
      // The exit codes of podman-rm(1).
      const exitCodes = { CONTAINER_NOT_FOUND: 1, CONTAINER_RUNNING: 2 };
      return forEachTarget(context, { targets, exitCodes }, remove);
    });
  },
);
