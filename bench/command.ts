import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Runs programs and times them from before their start to their end. */
export interface CommandRunner {
  /** Milliseconds that it took. Rejects with what it printed when it does not end with 0. */
  time(argv: readonly string[]): Promise<number>;
}

export interface CommandRunnerOptions {
  /** For the file that takes what the programs complain about. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** As much of a complaint as fits under a table. */
const MAX_COMPLAINT_CHARACTERS = 300;

let commandCount = 0;

/**
 * Output goes to files and not to pipes: a container that is left running would hold a pipe open, and whoever reads a
 * pipe takes processor time from what is measured.
 */
export function createCommandRunner(options: CommandRunnerOptions): CommandRunner {
  return {
    async time(argv) {
      const logPath = path.join(options.directory, `command-${commandCount++ % 64}.log`);
      const log = openSync(logPath, 'w', 0o600);
      try {
        return await timeProcess(argv, log, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        throw describeFailure(argv, logPath, error);
      } finally {
        closeSync(log);
      }
    },
  };
}

async function timeProcess(
  argv: readonly string[],
  log: number,
  { environment, timeoutMs, signal }: CommandRunnerOptions,
): Promise<number> {
  const [file = '', ...rest] = argv;
  const startMs = performance.now();
  const child = spawn(file, rest, {
    stdio: ['ignore', log, log],
    env: { ...environment },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  });
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
  const durationMs = performance.now() - startMs;
  if (code === 0) return durationMs;
  throw new Error(code === null ? `ended by ${killedBy} after ${timeoutMs} ms` : `exit ${code}`);
}

function describeFailure(argv: readonly string[], logPath: string, error: unknown): Error {
  const complaint = readFileSync(logPath, 'utf8').trim().slice(-MAX_COMPLAINT_CHARACTERS);
  const reason = error instanceof Error ? error.message : String(error);
  const words = argv.map((word) => (word.includes('/') ? path.basename(word) : word));
  return new Error(`${words.join(' ')}: ${reason}${complaint === '' ? '' : `: ${complaint}`}`);
}
