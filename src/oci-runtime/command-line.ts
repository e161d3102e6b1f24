import { type Directories, findDirectories } from '../host/directories.ts';
import { WardianError } from '../util/errors.ts';
import { VERSION } from '../util/version.ts';
import { FlagValues } from './arguments/flags.ts';
import { type ParsedArguments, parseArguments } from './arguments/parse-arguments.ts';
import { reportFailure, reportWarning } from './output/report-failure.ts';
import { toAbsolute } from './paths.ts';
import type { CgroupManager, RuntimeContext } from './runtime-context.ts';
import { VERBS } from './verbs.ts';

/** The process as its entry point sees it. */
export interface Surroundings
  extends Pick<
    RuntimeContext,
    'environment' | 'workingDirectory' | 'userId' | 'parentPid' | 'signals' | 'print'
  > {
  /** The file that Node runs. */
  readonly mainPath: string;
}

/** What engines take for "the runtime failed"; `run` and `exec` return the process's own otherwise. */
const FAILED = 1;

/** Reads a command line, does what it says, reports what fails, and returns the exit code. */
export async function runCommandLine(
  words: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const flags = new FlagValues();
  try {
    return await answer(parseArguments(words, flags), surroundings);
  } catch (error) {
    reportFailure(error, flags);
    return FAILED;
  }
}

async function answer(parsed: ParsedArguments, surroundings: Surroundings): Promise<number> {
  const { verb, flags, operands } = parsed;
  if (verb === undefined && flags.isSet('version')) {
    const { renderVersion } = await import('./output/help-text.ts');
    surroundings.print(renderVersion());
    return 0;
  }
  if (verb === undefined || flags.isSet('help')) {
    const { renderHelp } = await import('./output/help-text.ts');
    surroundings.print(renderHelp(verb ?? operands[0]));
    return 0;
  }
  checkLogFormat(flags.getText('log-format'));
  const context = createContext(flags, surroundings);
  const answerVerb = await VERBS[verb]();
  return answerVerb({ flags, operands, context });
}

function createContext(flags: FlagValues, surroundings: Surroundings): RuntimeContext {
  const { environment, mainPath, userId, workingDirectory } = surroundings;
  let directories: Directories | undefined;
  return {
    ...surroundings,
    root: findRoot(flags, surroundings),
    cgroupManager: findCgroupManager(flags),
    version: VERSION,
    warn: (thrown) => reportWarning(thrown, flags),
    ...findPrograms(mainPath),
    workingDirectory,
    /** Found when a verb needs them, so that a wrong one is reported as every error is. */
    get directories() {
      directories ??= findDirectories(environment, userId);
      return directories;
    },
  };
}

function checkLogFormat(format: string | undefined): void {
  if (format === undefined || format === 'text' || format === 'json') return;
  throw new WardianError('USAGE', `--log-format is ${JSON.stringify(format.slice(0, 40))}`, {
    hint: 'it is text or json',
  });
}

/** The same for every command of one user, wherever it is started: engines do not say. */
function findRoot(
  flags: FlagValues,
  { environment, userId, workingDirectory }: Surroundings,
): string {
  const given = flags.getText('root');
  if (given !== undefined && given !== '') return toAbsolute(given, workingDirectory);
  if (userId === 0) return '/run/wardian-runtime';
  const base = environment['XDG_RUNTIME_DIR'];
  return base?.startsWith('/') ? `${base}/wardian-runtime` : `/tmp/wardian-runtime-${userId}`;
}

function findCgroupManager(flags: FlagValues): CgroupManager {
  const named =
    flags.getText('cgroup-manager') ?? (flags.isSet('systemd-cgroup') ? 'systemd' : 'cgroupfs');
  if (named === 'cgroupfs' || named === 'systemd' || named === 'disabled') return named;
  throw new WardianError('USAGE', `--cgroup-manager is ${JSON.stringify(named)}`, {
    hint: 'it is cgroupfs, systemd or disabled',
  });
}

/** Beside the bundle when this is one; where they are made when the sources run. */
function findPrograms(mainPath: string): { sandboxerPath: string; stubPath: string } {
  const folder = mainPath.slice(0, mainPath.lastIndexOf('/'));
  if (!mainPath.endsWith('.ts')) {
    return { sandboxerPath: `${folder}/sandboxer.cjs`, stubPath: `${folder}/stub` };
  }
  const checkout = `${folder}/../..`;
  return { sandboxerPath: `${folder}/../sandboxer/main.ts`, stubPath: `${checkout}/dist/stub` };
}
