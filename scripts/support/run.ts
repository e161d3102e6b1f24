import { type SpawnOptions, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface RunOptions {
  readonly directory?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Called with each line that the program writes to standard output or error. */
  readonly onLine?: (line: string) => void;
  /** Called with each line that the program writes to descriptor 3, where apt reports its progress. */
  readonly onStatus?: (line: string) => void;
  /** What a failure says beside the program's last words. */
  readonly hint?: string;
  /** The program is killed after so long; absent: it may take for ever. */
  readonly timeoutMs?: number;
  /** Exit codes that are no failure; 0 alone when absent. */
  readonly goodExitCodes?: readonly number[];
}

export interface Failure {
  /** "failed with exit code 1" */
  readonly how: string;
  /** The end of what the program said. */
  readonly said?: string;
  readonly exitCode?: number | null;
  readonly hint?: string | undefined;
}

/** A program that ended badly: what it was, and the end of what it said. */
export class CommandFailed extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number | null;

  constructor(argv: readonly string[], { how, said = '', exitCode = null, hint }: Failure) {
    super(`${argv.join(' ')} ${how}${said === '' ? '' : `\n${said}`}`);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** How many of the last lines of a failed program are shown. */
const LAST_WORDS = 15;

/** Runs a program to its end and returns its standard output; throws CommandFailed when it ends otherwise than well. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const [program, ...rest] = argv as [string, ...string[]];
  const stdio: SpawnOptions['stdio'] = ['ignore', 'pipe', 'pipe'];
  if (options.onStatus !== undefined) stdio.push('pipe');
  const child = spawn(program, rest, {
    stdio,
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    env: options.environment ?? process.env,
    ...(options.timeoutMs === undefined
      ? {}
      : { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
  });
  const output: string[] = [];
  const lastWords: string[] = [];
  const hear = (line: string) => {
    if (line.trim() !== '' && lastWords.push(line) > LAST_WORDS) lastWords.shift();
    options.onLine?.(line);
  };
  const streams = [
    readLines(child.stdout as Readable, (line) => {
      output.push(line);
      hear(line);
    }),
    readLines(child.stderr as Readable, hear),
  ];
  if (options.onStatus !== undefined) {
    streams.push(readLines(child.stdio[3] as Readable, options.onStatus));
  }
  const [exitCode, signal] = await new Promise<[number | null, string | null]>(
    (resolve, reject) => {
      child.once('error', (error) =>
        reject(new CommandFailed(argv, { how: error.message, hint: options.hint })),
      );
      child.once('close', (code, endedBy) => resolve([code, endedBy]));
    },
  );
  await Promise.all(streams);
  if ((options.goodExitCodes ?? [0]).includes(exitCode ?? -1)) return output.join('\n');
  const how = signal === null ? `failed with exit code ${exitCode}` : `was ended by ${signal}`;
  throw new CommandFailed(argv, { how, exitCode, said: lastWords.join('\n'), hint: options.hint });
}

/** True when the program can be run and ends with 0. */
export async function succeeds(argv: readonly string[]): Promise<boolean> {
  try {
    await run(argv);
    return true;
  } catch (error) {
    if (error instanceof CommandFailed) return false;
    throw error;
  }
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const piece of stream) {
    const lines = (rest + piece).split(/[\n\r]/);
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  }
  if (rest !== '') onLine(rest);
}
