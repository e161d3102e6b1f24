import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { forEachTarget } from '../for-each-target.ts';

/** `wardian wait`. */
export const wait = defineCommand(
  {
    name: 'wait',
    operands: 'CONTAINER...',
    minimumOperands: 1,
    summary: 'wait until containers end and print their exit codes',
    completes: 'container',
    flags: {
      ignore: { help: 'print -1 for containers that do not exist' },
    },
  },
  ({ flags, operands }, context) =>
    withSandboxer(context, (client) =>
      forEachTarget(context, { targets: operands }, async (container) => {
        try {
          const { exitCode } = await client.call('wait', { container });
          return String(exitCode);
        } catch (error) {
          const isMissing = (error as { code?: string }).code === 'CONTAINER_NOT_FOUND';
          if (isMissing && flags.ignore) return '-1';
          throw error;
        }
      }),
    ),
);
