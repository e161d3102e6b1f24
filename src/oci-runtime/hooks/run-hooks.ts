import { existsSync } from 'node:fs';
import { type ProgramEnd, runWithInput } from '../../host/run-with-input.ts';
import type { Hook } from '../../oci/runtime-spec/types.ts';
import { WardianError } from '../../util/errors.ts';
import type { HookRun } from '../host-work.ts';

/** setTimeout takes no more than 31 bits of milliseconds, which is longer than a day; config.json may say a day at most. */
const MS_PER_SECOND = 1000;

/** Under an engine there may be no PATH, and in a hook's environment a wrong one. */
const NSENTER_PATHS = ['/usr/bin/nsenter', '/bin/nsenter', '/usr/local/bin/nsenter'];

/**
 * Runs the hooks of one stage, one after the other, with the container's state on stdin and nothing in their environment
 * but what they name. The first that fails ends it with HOOK_FAILED, and the others do not run.
 */
export async function runHooks(run: HookRun): Promise<void> {
  for (const [index, hook] of run.hooks.entries()) {
    const failure = await runHook(run, hook, index);
    if (failure !== undefined) throw failure;
  }
}

/** The same, but each runs whatever the others do, as after a container's end; returns one error for each that failed. */
export async function runAllHooks(run: HookRun): Promise<WardianError[]> {
  const failures: WardianError[] = [];
  for (const [index, hook] of run.hooks.entries()) {
    const failure = await runHook(run, hook, index);
    if (failure !== undefined) failures.push(failure);
  }
  return failures;
}

async function runHook(run: HookRun, hook: Hook, index: number): Promise<WardianError | undefined> {
  const end = await runWithInput({
    ...describeCommand(hook, run.namespacesOf),
    environment: parseEnvironment(hook.env ?? []),
    workingDirectory: run.workingDirectory,
    input: JSON.stringify(run.state),
    timeoutMs: hook.timeout === undefined ? undefined : hook.timeout * MS_PER_SECOND,
  });
  const problem = describeProblem(end, hook);
  if (problem === undefined) return undefined;
  const words = end.output === '' ? '' : `: ${end.output}`;
  const name = `${run.kind} hook #${index} (${hook.path})`;
  return new WardianError('HOOK_FAILED', `error running ${name}: ${problem}${words}`);
}

/** In other namespaces a program gets its path as its name: nsenter(1) has no way to say another. */
function describeCommand(
  hook: Hook,
  pid: number | undefined,
): { program: string; argv: readonly string[] } {
  const argv = hook.args === undefined || hook.args.length === 0 ? [hook.path] : hook.args;
  if (pid === undefined) return { program: hook.path, argv };
  const enter = ['nsenter', '--target', String(pid), '--mount', '--net', '--uts', '--ipc', '--'];
  return { program: findNsenter(), argv: [...enter, hook.path, ...argv.slice(1)] };
}

function findNsenter(): string {
  const found = NSENTER_PATHS.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new WardianError('HOST_SETUP_MISSING', 'nsenter is not installed', {
    hint: 'install it: apt-get install util-linux',
  });
}

function parseEnvironment(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const end = entry.indexOf('=');
      return end < 0 ? [entry, ''] : [entry.slice(0, end), entry.slice(end + 1)];
    }),
  );
}

function describeProblem(end: ProgramEnd, { timeout }: Hook): string | undefined {
  if (end.startError !== undefined) return `it cannot be started: ${end.startError}`;
  if (end.isTimedOut) return `it did not end within ${timeout} s`;
  if (end.signal !== undefined) return `signal ${end.signal} ended it`;
  return end.exitCode === 0 ? undefined : `exit status ${end.exitCode}`;
}
