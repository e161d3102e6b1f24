import { WardianError } from '../../util/errors.ts';
import { connect } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { parseDetachKeys } from '../terminal/detach-keys.ts';
import { joinProcess } from '../terminal/join-process.ts';
import { PROCESS_FLAGS } from './process-flags.ts';

/** `wardian attach`. */
export const attach = defineCommand(
  {
    name: 'attach',
    operands: 'CONTAINER',
    minimumOperands: 1,
    maximumOperands: 1,
    summary: "join a running container's standard streams",
    completes: 'container',
    flags: {
      'detach-keys': PROCESS_FLAGS['detach-keys'],
      'no-stdin': { help: 'do not feed its standard input' },
      'sig-proxy': { initially: true, help: 'pass signals on to it (not with a terminal)' },
    },
  },
  async ({ flags, operands: [container = ''] }, context) => {
    const detachKeys = parseDetachKeys(flags['detach-keys']);
    const client = await connect(context);
    try {
      const details = await client.call('inspect', { container });
      if (!details.state.running) {
        throw new WardianError('CONTAINER_NOT_RUNNING', `${container} has stopped`, {
          hint: `what it wrote: wardian logs ${container}`,
        });
      }
      const { terminal, interactive } = details.config;
      return await joinProcess(context, {
        client,
        request: {
          container: details.id,
          stdin: interactive && !flags['no-stdin'],
          owner: false,
          from: 'now',
        },
        terminal,
        detachKeys,
        proxySignals: flags['sig-proxy'],
      });
    } finally {
      client.close();
    }
  },
);
