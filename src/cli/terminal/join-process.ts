import type { AttachRequest, ExitReport } from '../../sandboxer/api.ts';
import type { SandboxerClient } from '../../sandboxer/client.ts';
import { type AttachEnd, AttachSession } from '../../sandboxer/streams/attach-session.ts';
import { WardianError } from '../../util/errors.ts';
import type { CommandContext, OutputStream } from '../command.ts';
import { connect } from '../connect.ts';
import { createProgressLine } from '../output/progress-line.ts';
import type { RunTrace } from '../output/run-trace.ts';
import { DetachFilter } from './detach-keys.ts';
import { catchEndingSignals, proxySignals, type SignalWatch } from './signals.ts';

export interface JoinOptions {
  readonly client: SandboxerClient;
  readonly request: AttachRequest;
  /** The call that starts the process, sent just before; not given for one that runs already. */
  readonly started?: Promise<void>;
  /** The process has a terminal. */
  readonly terminal: boolean;
  /** What they type to leave it; empty: nothing does. */
  readonly detachKeys: Buffer;
  readonly proxySignals: boolean;
  /** Told of the first output, and of what the sandboxer traced. */
  readonly trace?: RunTrace | undefined;
}

/** Joins the command line to a process until one of them leaves; returns the exit code. */
export async function joinProcess(context: CommandContext, options: JoinOptions): Promise<number> {
  const session = openSession(context, options);
  const undo: (() => void)[] = [() => session.close()];
  try {
    const signals = watchSignals(context, options, session);
    undo.push(() => signals.stop());
    // Loaded for terminals alone: it needs child_process, and that takes a millisecond.
    const rawMode = options.terminal ? await import('./raw-mode.ts') : undefined;
    if (!options.request.stdin) undo.push(rawMode?.enterPlainOutput(context) ?? doNothing);
    const interrupted = await Promise.race([options.started, signals.caught]);
    if (typeof interrupted === 'number') return interrupted;
    if (options.terminal) followTerminalSize(context, options.request, session, undo);
    if (options.request.stdin) {
      undo.push(rawMode?.enterRawMode(context.stdin) ?? doNothing);
      feedStdin(context, options.terminal ? options.detachKeys : NO_KEYS, session, undo);
    }
    const end = await Promise.race([session.done, signals.caught]);
    return typeof end === 'number' ? end : getExitCode(end);
  } finally {
    for (const step of undo.reverse()) step();
  }
}

function openSession(context: CommandContext, options: JoinOptions): AttachSession {
  const progress = createProgressLine(() => context.stderr);
  const write =
    (name: 'stdout' | 'stderr') =>
    (bytes: Uint8Array, done: (error?: Error | null) => void): void => {
      progress.clear();
      context[name].write(bytes, done);
      options.trace?.markOutput();
    };
  const session: AttachSession = new AttachSession({
    client: options.client,
    reconnect: () => connect(context),
    request: options.request,
    ...(options.started && { started: options.started }),
    writeStdout: write('stdout'),
    writeStderr: write('stderr'),
    onProgress: (line) => progress.show(line),
    onTrace: (marks) => options.trace?.take(marks),
    onStdinRoom: () => context.stdin.resume(),
    onReconnected: () => {
      if (options.terminal) sendTerminalSize(context.stdout, options.request, session);
    },
  });
  return session;
}

/** Without a terminal signals go to the process; with one Ctrl-C is a key, and a signal is for us. */
function watchSignals(
  context: CommandContext,
  options: JoinOptions,
  session: AttachSession,
): SignalWatch {
  if (options.terminal || !options.proxySignals) return catchEndingSignals(context.signals);
  const { container, execId } = options.request;
  const target = execId === undefined ? { container } : { container, execId };
  return proxySignals(context.signals, options.started ?? Promise.resolve(), (signal) =>
    session.call('kill', { ...target, signal }),
  );
}

/** Tells the process the size of our terminal, now (it may have changed during the start) and when it changes. */
function followTerminalSize(
  context: CommandContext,
  request: AttachRequest,
  session: AttachSession,
  undo: (() => void)[],
): void {
  if (!context.stdout.isTTY) return;
  const send = (): void => sendTerminalSize(context.stdout, request, session);
  context.stdout.on('resize', send); // Node's own SIGWINCH, after it has read the new size.
  undo.push(() => context.stdout.off('resize', send));
  send();
}

function sendTerminalSize(
  stdout: OutputStream,
  { container, execId }: AttachRequest,
  session: AttachSession,
): void {
  const size = getTerminalSize(stdout);
  if (size === undefined) return;
  const target = execId === undefined ? { container } : { container, execId };
  // The process may have just ended, or the sandboxer gone: the session tells.
  session.call('resize', { ...target, ...size }).catch(() => {});
}

export function getTerminalSize(
  stdout: OutputStream,
): { rows: number; columns: number } | undefined {
  const { rows, columns } = stdout;
  if (!stdout.isTTY || !rows || !columns) return undefined;
  return { rows, columns };
}

const NO_KEYS = Buffer.alloc(0);

function doNothing(): void {}

function feedStdin(
  { stdin }: CommandContext,
  detachKeys: Buffer,
  session: AttachSession,
  undo: (() => void)[],
): void {
  const filter = new DetachFilter(detachKeys);
  const onData = (typed: Buffer): void => {
    const { bytes, detached } = filter.filter(typed);
    if (!session.pushStdin(bytes)) stdin.pause();
    if (detached) session.detach();
  };
  const onEnd = (): void => session.endStdin();
  stdin.on('data', onData).once('end', onEnd).once('error', onEnd);
  undo.push(() => {
    stdin.off('data', onData).off('end', onEnd);
    stdin.pause();
  });
}

function getExitCode(end: AttachEnd): number {
  if (end.kind === 'detached') return 0;
  const { report } = end;
  if (report.sandboxFailure !== undefined) {
    throw new WardianError('SANDBOX_DIED', report.sandboxFailure, {
      hint: 'its log says more: wardian logs, and wardian inspect for its folder',
    });
  }
  return toShellCode(report);
}

function toShellCode({ exitCode, signal }: ExitReport): number {
  return signal > 0 ? 128 + signal : exitCode;
}
