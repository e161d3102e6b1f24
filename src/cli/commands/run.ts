import { type RunRequest, type RunResponse, STREAM_KIND } from '../../sandboxer/api.ts';
import type { SandboxerClient } from '../../sandboxer/client.ts';
import { WardianError } from '../../util/errors.ts';
import type { CommandSpec } from '../arguments/spec.ts';
import type { CommandContext } from '../command.ts';
import { connect } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { createProgressLine } from '../output/progress-line.ts';
import { writeText } from '../output/write-text.ts';
import { joinProcess } from '../terminal/join-process.ts';
import { createId, startProcess } from '../terminal/start-process.ts';
import { PROCESS_FLAGS } from './process-flags.ts';
import { buildRunRequest } from './run-request.ts';

const NOT_YET = 'this version has no such thing yet';

export const runSpec = {
  name: 'run',
  operands: 'IMAGE [COMMAND [ARG...]]',
  minimumOperands: 1,
  summary: 'run a command in a new container',
  stopAtOperand: true,
  completes: 'image',
  flags: {
    ...PROCESS_FLAGS,
    detach: { short: 'd', help: 'leave it running in the background and print its id' },
    rm: { help: 'remove the container when it has ended' },
    name: { value: 'NAME', help: 'a name for the container' },
    entrypoint: { value: 'COMMAND', help: "replaces the image's: a word or a JSON list" },
    hostname: { short: 'h', value: 'NAME', help: 'host name in the container' },
    cpus: { value: 'NUMBER', help: 'how many CPUs it may use, as in 1.5' },
    memory: { short: 'm', value: 'SIZE', help: 'how much memory it may use, as in 512m' },
    'pids-limit': { value: 'NUMBER', help: 'how many processes it may have (-1: any number)' },
    'read-only': { help: 'make its root filesystem read-only' },
    tmpfs: { value: 'PATH[:OPTIONS]', repeated: true, help: 'mount a tmpfs there' },
    network: { alias: 'net', value: 'MODE', help: 'its network: only none for now' },
    label: { short: 'l', value: 'NAME=VALUE', repeated: true, help: 'a label' },
    'label-file': { value: 'FILE', repeated: true, help: 'a file with a label on each line' },
    'stop-signal': { value: 'SIGNAL', help: 'what asks it to stop (default TERM)' },
    'no-template': { help: 'boot its sandbox instead of cloning one' },
    'sig-proxy': { initially: true, help: 'pass signals on to it (not with a terminal)' },
  },
  refused: {
    '--init': 'the guest has an init already, which reaps what the container leaves behind',
    '-v': NOT_YET,
    '--volume': NOT_YET,
    '--mount': NOT_YET,
    '-p': NOT_YET,
    '--publish': NOT_YET,
    '--device': NOT_YET,
    '--privileged': NOT_YET,
    '--cap-add': NOT_YET,
    '--cap-drop': NOT_YET,
    '--pod': 'every container has a sandbox of its own for now',
    '--pull': 'there is no registry client yet: see wardian load',
    '--restart': NOT_YET,
  },
  examples: [
    'wardian run --rm busybox echo hello',
    'wardian run --rm -it busybox sh',
    'tar c . | wardian run --rm -i busybox tar t',
  ],
} as const satisfies CommandSpec;

/** `wardian run`. */
export const run = defineCommand(runSpec, async (parsed, context) => {
  const request = buildRunRequest(parsed, createId(), context);
  await warnAboutInput(request, context);
  const client = await connect(context);
  if (request.detached) return runDetached(client, request, context);

  const started = startProcess({
    client,
    connect: () => connect(context),
    start: (current) => current.call('run', request),
    find: (current) => findStarted(current, request.id),
  }).then((response) => showWarnings(response, context));
  return joinProcess(context, {
    client,
    started,
    request: {
      container: request.id,
      stdin: request.interactive,
      owner: true,
      from: 'start',
    },
    terminal: request.terminal,
    detachKeys: parsed.flags['detach-keys'],
    proxySignals: parsed.flags['sig-proxy'],
  });
});

async function runDetached(
  client: SandboxerClient,
  request: RunRequest,
  context: CommandContext,
): Promise<number> {
  const progress = createProgressLine(() => context.stderr);
  try {
    const running = client.call('run', request);
    // Joined for as long as the start takes, only to hear of long steps.
    const start = client.openStream(
      'attach',
      { container: request.id, stdin: false, owner: false, from: 'now' },
      {
        onFrame: (kind, _offset, bytes) => {
          if (kind === STREAM_KIND.progress) progress.show(bytes.toString('utf8'));
        },
      },
    );
    const response = await running.finally(() => {
      start.cancel();
      progress.clear();
    });
    await showWarnings(response, context);
    await writeText(context.stdout, `${response.id}\n`);
    return 0;
  } finally {
    client.close();
  }
}

/** A sandboxer that died may have started it before. */
async function findStarted(client: SandboxerClient, id: string): Promise<RunResponse | undefined> {
  try {
    const { name } = await client.call('inspect', { container: id });
    return { id, name, warnings: [] };
  } catch (error) {
    if (error instanceof WardianError && error.code === 'CONTAINER_NOT_FOUND') return undefined;
    throw error;
  }
}

async function showWarnings({ warnings }: RunResponse, context: CommandContext): Promise<void> {
  for (const warning of warnings) await writeText(context.stderr, `wardian: warning: ${warning}\n`);
}

async function warnAboutInput(
  { terminal, interactive, detached }: RunRequest,
  context: CommandContext,
): Promise<void> {
  if (!terminal || !interactive || detached || context.stdin.isTTY) return;
  await writeText(
    context.stderr,
    'wardian: warning: -t with -i, but the input is not a terminal\n',
  );
}
