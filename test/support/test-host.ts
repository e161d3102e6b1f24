import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandResult, collectResult } from './command-result.ts';

export interface CommandOptions {
  readonly stdin?: string | Buffer;
  readonly environment?: Record<string, string>;
  readonly timeoutMs?: number;
}

/** How `wardian` is run, where that is not from the checkout by whoever runs the tests. */
export interface TestCommand {
  /** User, and group of the same number. */
  readonly uid?: number;
  /** The command line's bundle, beside which the others lie. */
  readonly path?: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = path.join(ROOT, 'dist/wardian.cjs');
/** Long enough for a template to be made on a busy machine. */
const DEFAULT_TIMEOUT_MS = 120_000;
const IDLE_TIMEOUT_MS = '20000';
const LEAVE_TIMEOUT_MS = 10_000;

/**
 * A user of Wardian with folders of its own: containers, images, sandboxer. The cache (kernel, templates) is the machine's.
 * `close` ends everything and fails when something is left behind.
 */
export class TestHost {
  /** Short, because sockets are made below it; below /tmp, because the leak check looks there. */
  readonly directory = mkdtempSync('/tmp/wardian-test-');
  readonly environment: Record<string, string>;
  readonly #children = new Set<ChildProcess>();
  readonly #command: TestCommand;

  constructor(environment: Record<string, string> = {}, command: TestCommand = {}) {
    this.#command = command;
    this.environment = {
      ...(process.env as Record<string, string>),
      WARDIAN_RUNTIME_DIR: path.join(this.directory, 'run'),
      WARDIAN_DATA_DIR: path.join(this.directory, 'data'),
      WARDIAN_IDLE_TIMEOUT_MS: IDLE_TIMEOUT_MS,
      WARDIAN_POOL_SIZE: '0', // machines that come and go by themselves: only where a test is about them
      ...environment,
    };
    delete this.environment['NODE_EXTRA_CA_CERTS']; // costs Node 40 ms a start
  }

  get runtimeDirectory(): string {
    return this.environment['WARDIAN_RUNTIME_DIR'] ?? '';
  }

  get dataDirectory(): string {
    return this.environment['WARDIAN_DATA_DIR'] ?? '';
  }

  /** Runs `wardian` to its end. */
  async wardian(
    arguments_: readonly string[],
    options: CommandOptions = {},
  ): Promise<CommandResult> {
    const child = this.start(arguments_, options);
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    try {
      return await collectResult(child);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs `wardian` and fails unless it ends with 0; returns what it printed. */
  async succeed(arguments_: readonly string[], options: CommandOptions = {}): Promise<string> {
    const result = await this.wardian(arguments_, options);
    assert.equal(result.exitCode, 0, `wardian ${arguments_.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** Starts `wardian` with piped standard streams. */
  start(arguments_: readonly string[], options: CommandOptions = {}): ChildProcess {
    const { uid, path: command = CLI } = this.#command;
    const child = spawn(process.execPath, ['--', command, ...arguments_], {
      ...(uid !== undefined && { uid, gid: uid, cwd: this.directory }),
      env: { ...this.environment, ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    child.stdin?.on('error', () => {}); // EPIPE: it ended without reading its input, which a test may want
    if (options.stdin !== undefined) child.stdin?.end(options.stdin);
    return child;
  }

  /** Pid of the sandboxer, read from its lock; undefined when none runs. */
  getSandboxerPid(): number | undefined {
    try {
      const lock = readFileSync(path.join(this.runtimeDirectory, 'sandboxer.lock'), 'utf8');
      return (JSON.parse(lock) as { pid: number }).pid;
    } catch {
      return undefined; // no lock: none runs
    }
  }

  /** Processes that name our folder: VMMs, launchers. */
  getProcesses(): { pid: number; commandLine: string }[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({ pid: Number(name), commandLine: readCommandLine(name) }))
      .filter(({ commandLine }) => commandLine.includes(this.directory));
  }

  /** Removes every container, ends the sandboxer, and looks whether anything is left. */
  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.wardian(['rm', '--all', '--force', '--time', '0']);
    const sandboxes = listDirectory(path.join(this.runtimeDirectory, 'sandboxes'));
    const pid = this.getSandboxerPid();
    if (pid !== undefined) await endProcess(pid);
    const processes = this.getProcesses();
    const logs = listDirectory(path.join(this.dataDirectory, 'logs'));
    rmSync(this.directory, { recursive: true, force: true });
    assert.deepEqual({ sandboxes, processes, logs }, { sandboxes: [], processes: [], logs: [] });
  }
}

/** Asks it to leave, as a system that is shut down does; one that does not is killed. */
async function endProcess(pid: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return; // ESRCH: it has left meanwhile
    }
    for (const deadline = Date.now() + LEAVE_TIMEOUT_MS; Date.now() < deadline; ) {
      if (readCommandLine(String(pid)) === '') return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function listDirectory(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // never made
  }
}

function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}
