import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SandboxerClient } from '../../sandboxer/client.ts';
import {
  createFakeEnvironment,
  type FakeEnvironment,
} from '../../sandboxer/testing/fake-environment.ts';

const MAIN_PATH = fileURLToPath(new URL('../main.ts', import.meta.url));
const TERMINAL_PATH = fileURLToPath(new URL('./terminal.py', import.meta.url));

export interface CliResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A fake sandboxer that runs already, so that the command line does not have to start the real one. */
export async function startFake(variables: Record<string, string> = {}): Promise<FakeEnvironment> {
  const fake = createFakeEnvironment(variables);
  const client = await SandboxerClient.connect(fake.options);
  client.close();
  return fake;
}

/** Environment in which the command line finds the fake sandboxer. */
function getEnvironment(fake: FakeEnvironment): Record<string, string | undefined> {
  return {
    ...fake.options.environment,
    WARDIAN_RUNTIME_DIR: fake.folder,
    WARDIAN_CACHE_DIR: fake.folder,
    WARDIAN_DATA_DIR: fake.folder,
  };
}

/** Starts `wardian` from the sources. */
export function spawnCli(
  fake: FakeEnvironment,
  arguments_: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  return spawn(process.execPath, [MAIN_PATH, ...arguments_], {
    env: getEnvironment(fake),
    ...options,
  });
}

/** Runs `wardian` to its end. */
export async function runCli(
  fake: FakeEnvironment,
  arguments_: readonly string[],
  input = '',
): Promise<CliResult> {
  const child = spawnCli(fake, arguments_);
  child.stdin?.on('error', () => {}).end(input); // A command that ends without reading it breaks the pipe.
  return collect(child);
}

/** All that a process says until it ends. */
export async function collect(child: ChildProcess): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr?.on('data', (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
}

export type TerminalStep =
  | { expect: string }
  | { type: string }
  | { resize: [rows: number, columns: number] }
  | { signal: number }
  | { sleep: number };

export interface TerminalResult {
  readonly output: string;
  readonly exitCode: number;
  readonly wasRaw: boolean;
  readonly isRaw: boolean;
}

/** Runs `wardian` on a terminal of its own and types. */
export async function runOnTerminal(
  fake: FakeEnvironment,
  arguments_: readonly string[],
  steps: readonly TerminalStep[],
): Promise<TerminalResult> {
  const argv = [TERMINAL_PATH, JSON.stringify(steps), process.execPath, MAIN_PATH, ...arguments_];
  const result = await collect(spawn('python3', argv, { env: getEnvironment(fake) }));
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as TerminalResult;
}
