import { captureCommand, FilterError } from '../host/spawn.ts';
import { hasErrno, toWardianError, WardianError } from '../util/errors.ts';

/** Each command takes milliseconds; a host that is this slow has stalled. */
const TIMEOUT_MS = 30_000;
/** Links, routes and neighbours of a large cluster's node as JSON; more is cut off and found out to be no JSON. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Engines start us with little in their environment. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** What execvp leaves of a program that is not there, as nsenter(1) passes it on. */
const NOT_FOUND = /failed to execute (\S+): No such file/;

/** Where commands run. */
export interface NetworkNamespace {
  /** A path that setns(2) takes. */
  readonly namespacePath: string;
  readonly signal?: AbortSignal | undefined;
}

export interface NamespaceCommand extends NetworkNamespace {
  /** A program of iproute2 or iptables that reads its commands from stdin. */
  readonly argv: readonly string[];
  /** Lines for its stdin. */
  readonly lines: readonly string[];
}

/** A list of commands of which one failed. */
export class NetworkCommandError extends WardianError {
  /** How many of them had been carried out. */
  readonly completedCount: number;

  constructor(message: string, completedCount: number, cause: unknown) {
    super('NETWORK_FAILED', message, { cause });
    this.completedCount = completedCount;
  }
}

/** Runs a program in a network namespace, and nothing else of it; returns what it printed. */
export async function runInNamespace(command: NamespaceCommand): Promise<string> {
  const { namespacePath, argv, lines, signal } = command;
  const input = lines.map((line) => `${line}\n`).join('');
  try {
    const { stdout } = await captureCommand('nsenter', [`--net=${namespacePath}`, '--', ...argv], {
      ...{ timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_OUTPUT_BYTES, signal },
      ...{ input, env: { PATH } },
    });
    return stdout;
  } catch (error) {
    throw explain(error, command);
  }
}

function explain(error: unknown, command: NamespaceCommand): WardianError {
  if (command.signal?.aborted) {
    return new WardianError('CANCELLED', 'the wiring of the network was cancelled');
  }
  const complaint = error instanceof FilterError ? error.complaint : '';
  const missing = hasErrno(error, 'ENOENT') ? 'nsenter' : NOT_FOUND.exec(complaint)?.[1];
  if (missing !== undefined) {
    return new WardianError('HOST_SETUP_MISSING', `the command ${missing} is not installed`, {
      cause: error,
      hint: 'install what networks need: apt-get install iproute2 iptables util-linux',
    });
  }
  if (!(error instanceof FilterError)) return toWardianError(error);
  const failed = findFailedLine(complaint, command);
  const line = command.lines[failed];
  const what = line === undefined ? command.argv.join(' ') : `${command.argv[0]} ${line}`;
  return new NetworkCommandError(
    `${what} failed in the network namespace ${command.namespacePath}: ${summarize(complaint)}`,
    Math.max(failed, 0),
    error,
  );
}

/** Its index; -1 where the program does not say. "Command failed -:3" is how ip and tc tell. */
function findFailedLine(complaint: string, { lines }: NamespaceCommand): number {
  const number = Number(
    /Command failed -:(\d+)|line:? (\d+)/.exec(complaint)?.slice(1).join('') ?? 0,
  );
  return number <= lines.length ? number - 1 : -1;
}

function summarize(complaint: string): string {
  const lines = complaint.split('\n').filter((line) => !/^Command failed -:/.test(line));
  return lines.join('; ').trim() || 'it does not say why';
}
