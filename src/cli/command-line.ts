import { writeSync } from 'node:fs';
import path from 'node:path';
import { type Directories, findDirectories } from '../host/directories.ts';
import { VERSION } from '../util/version.ts';
import type { CommandContext, OutputStream } from './command.ts';

/** Answers what stood on the command line, its first word apart, and returns the exit code; failures are thrown. */
type Answer = (first: string, rest: string[], context: CommandContext) => Promise<number>;

/** The whole life of the process: reads the command line, has it answered, reports what fails, and exits. */
export async function runCommandLine(answer: Answer): Promise<void> {
  const arguments_ = process.argv.slice(2);
  const context = createContext(takeDebugFlag(arguments_));
  let exitCode: number;
  try {
    exitCode = await answerOrTellVersion(arguments_, context, answer);
  } catch (error) {
    const { reportError } = await import('./output/report-error.ts');
    exitCode = await reportError(error, context);
  }
  process.exit(exitCode); // Not a natural end: a terminal or pipe on stdin would keep the process.
}

async function answerOrTellVersion(
  [first = 'help', ...rest]: string[],
  context: CommandContext,
  answer: Answer,
): Promise<number> {
  if (first !== '--version' && first !== '-v') return answer(first, rest, context);
  writeSync(1, `wardian version ${context.version}\n`); // Opening process.stdout would cost 2 ms.
  return 0;
}

/** `--debug` may stand before the verb only: behind it, it may belong to the container. */
function takeDebugFlag(arguments_: string[]): boolean {
  if (arguments_[0] !== '--debug') return false;
  arguments_.shift();
  return true;
}

/** The process as commands see it. Streams are opened when they are first used: each costs start-up time. */
function createContext(debug: boolean): CommandContext {
  const guarded = new Set<OutputStream>();
  let directories: Directories | undefined;
  const guard = (stream: OutputStream): OutputStream => {
    // Errors reach whoever wrote, through the callback of the write; without a listener they would also crash us.
    if (!guarded.has(stream)) stream.on('error', () => {});
    guarded.add(stream);
    return stream;
  };
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return guard(process.stdout);
    },
    get stderr() {
      return guard(process.stderr);
    },
    environment: process.env,
    /** Found when a command needs them, so that a wrong one is reported as every error is. */
    get directories() {
      directories ??= findDirectories(process.env, process.getuid?.() ?? -1);
      return directories;
    },
    version: VERSION,
    sandboxerPath: findSandboxer(process.argv[1] ?? ''),
    debug,
    signals: process,
  };
}

/** Beside the bundle when this is one; in its room when the sources run. */
function findSandboxer(mainPath: string): string {
  const folder = path.dirname(mainPath);
  return mainPath.endsWith('.ts')
    ? path.join(folder, '../sandboxer/main.ts')
    : path.join(folder, 'sandboxer.cjs');
}
