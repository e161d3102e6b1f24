import { createId } from '../../host/random-id.ts';
import type { ExecRequest } from '../../sandboxer/api.ts';
import { collectEnvironment } from '../arguments/environment.ts';
import type { CommandSpec, ParsedArguments } from '../arguments/spec.ts';
import type { CommandContext } from '../command.ts';
import { connect, connectAtOnce } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { writeText } from '../output/write-text.ts';
import { parseDetachKeys } from '../terminal/detach-keys.ts';
import { getTerminalSize, joinProcess } from '../terminal/join-process.ts';
import { startProcess } from '../terminal/start-process.ts';
import { PROCESS_FLAGS } from './process-flags.ts';

const execSpec = {
  name: 'exec',
  operands: 'CONTAINER COMMAND [ARG...]',
  minimumOperands: 2,
  summary: 'run another command in a running container',
  stopAtOperand: true,
  completes: 'container',
  flags: {
    ...PROCESS_FLAGS,
    detach: { short: 'd', help: 'leave it running in the background, its output dropped' },
  },
  refused: { '--privileged': 'this version has no such thing yet' },
  examples: ['wardian exec -it web sh', 'wardian exec web cat /etc/hostname'],
} as const satisfies CommandSpec;

/** `wardian exec`. */
export const exec = defineCommand(execSpec, async (parsed, context) => {
  const detachKeys = parseDetachKeys(parsed.flags['detach-keys']); // before anything is started
  const request = buildExecRequest(parsed, context);
  const client = await (request.detached ? connect(context) : connectAtOnce(context));
  if (request.detached) {
    try {
      await client.call('exec', request);
    } finally {
      client.close();
    }
    await writeText(context.stdout, `${request.execId}\n`);
    return 0;
  }
  const { container, execId } = request;
  const started = startProcess({
    client,
    connect: () => connect(context),
    start: (current) => current.call('exec', request),
    find: async (current) => {
      const { execIds } = await current.call('inspect', { container });
      return execIds.includes(execId) ? { pid: 0 } : undefined;
    },
  }).then(() => {});
  return joinProcess(context, {
    client,
    started,
    request: { container, execId, stdin: request.interactive, owner: true, from: 'start' },
    terminal: request.terminal,
    detachKeys,
    proxySignals: true,
  });
});

function buildExecRequest(
  { flags, operands }: ParsedArguments<(typeof execSpec)['flags']>,
  context: CommandContext,
): ExecRequest {
  const [container = '', ...command] = operands;
  const size = flags.tty && !flags.detach ? getTerminalSize(context.stdout) : undefined;
  return {
    container,
    execId: createId(),
    command,
    env: collectEnvironment(flags.env, flags['env-file'], context.environment),
    ...(flags.workdir !== undefined && { workingDirectory: flags.workdir }),
    ...(flags.user !== undefined && { user: flags.user }),
    terminal: flags.tty,
    ...(size !== undefined && { terminalSize: size }),
    interactive: flags.interactive,
    detached: flags.detach,
  };
}
