import { createId } from '../../host/random-id.ts';
import { type RunRequest, type RunResponse, STREAM_KIND } from '../../sandboxer/api.ts';
import type { SandboxerClient } from '../../sandboxer/client.ts';
import { readTrace } from '../../sandboxer/streams/send-trace.ts';
import { WardianError } from '../../util/errors.ts';
import type { ParsedArguments } from '../arguments/spec.ts';
import type { CommandContext } from '../command.ts';
import { connect, connectAtOnce } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { createProgressLine } from '../output/progress-line.ts';
import type { RunTrace } from '../output/run-trace.ts';
import { writeText } from '../output/write-text.ts';
import { parseDetachKeys } from '../terminal/detach-keys.ts';
import { joinProcess } from '../terminal/join-process.ts';
import { startProcess } from '../terminal/start-process.ts';
import { buildRunRequest, isTraced } from './run-request.ts';
import { runSpec } from './run-spec.ts';

type RunArguments = ParsedArguments<(typeof runSpec)['flags']>;

/** `wardian run`. */
export const run = defineCommand(runSpec, async (parsed, context) => {
  if (!isTraced(parsed.flags)) return runContainer(parsed, context);
  const { RunTrace } = await import('../output/run-trace.ts');
  const trace = new RunTrace();
  const targets = { table: parsed.flags.trace, file: parsed.flags['trace-file'] };
  let exitCode: number;
  try {
    exitCode = await runContainer(parsed, context, trace);
  } catch (error) {
    trace.mark('failed');
    await trace.deliver(context, targets).catch(() => {}); // The first failure is the one to tell.
    throw error;
  }
  trace.mark('done');
  await trace.deliver(context, targets);
  return exitCode;
});

async function runContainer(
  parsed: RunArguments,
  context: CommandContext,
  trace?: RunTrace,
): Promise<number> {
  const detachKeys = parseDetachKeys(parsed.flags['detach-keys']); // before anything is started
  const request = buildRunRequest(parsed, createId(), context);
  await warnAboutInput(request, context);
  const client = await (request.detached ? connect(context) : connectAtOnce(context));
  trace?.mark(client.hasStarted ? 'sandboxer started' : 'sandboxer reached');
  if (request.detached) return runDetached({ client, request, trace }, context);

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
    detachKeys,
    proxySignals: parsed.flags['sig-proxy'],
    trace,
  });
}

interface DetachedRun {
  readonly client: SandboxerClient;
  readonly request: RunRequest;
  readonly trace: RunTrace | undefined;
}

async function runDetached(
  { client, request, trace }: DetachedRun,
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
          else if (kind === STREAM_KIND.trace) trace?.take(readTrace(bytes));
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
