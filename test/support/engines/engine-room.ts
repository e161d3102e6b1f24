import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandResult, collectResult } from '../command-result.ts';
import { PseudoTerminal } from '../pseudo-terminal.ts';
import {
  endProcesses,
  findRoomLeftovers,
  type RoomProcess,
  readRoomProcesses,
  removeControlGroups,
} from './room-leftovers.ts';
import { buildEnterCommand, buildRoomCommand } from './room-script.ts';

/** Namespaces and a few mounts; the machine may be busy. */
const OPEN_TIMEOUT_MS = 30_000;
/** Long enough for a template to be made on a busy machine. */
const COMMAND_TIMEOUT_MS = 120_000;
/** What a container leaves behind may take this long to go after the command that ended it. */
const LEAVING_MS = 15_000;

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Another OCI runtime instead of ours, to see what the tests say about it: an absolute path. */
const OTHER_RUNTIME = process.env['WARDIAN_TEST_RUNTIME'];

export const isOurRuntime = OTHER_RUNTIME === undefined;

export interface RoomOptions {
  /** Variables of our runtime and its sandboxer, besides folders of the room's own and no pool. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RunOptions {
  readonly stdin?: string | Buffer;
  readonly timeoutMs?: number;
}

/**
 * Where one test file runs container engines: mount, process, network, IPC and control group namespaces of its own, so
 * that bridges, firewall rules, mounts and daemons of engines never meet the host's, and all that they leave is found.
 */
export class EngineRoom {
  /** Short, because sockets are made below it. */
  readonly directory = mkdtempSync('/tmp/wardian-test-');
  /** The OCI runtime under test: a script, because engines pass on no variables. */
  readonly runtime = path.join(this.directory, 'bin/wardian-runtime');
  readonly environment: Record<string, string>;
  readonly #name = path.basename(this.directory);
  readonly #runtimeVariables: Record<string, string>;
  readonly #children = new Set<ChildProcess>();
  #room: ChildProcess | undefined;
  #initPid = 0;

  private constructor({ environment = {} }: RoomOptions) {
    this.environment = { ...(process.env as Record<string, string>), HOME: this.directory };
    delete this.environment['NODE_EXTRA_CA_CERTS']; // costs Node 40 ms a start
    this.#runtimeVariables = {
      WARDIAN_RUNTIME_DIR: path.join(this.directory, 'w'),
      WARDIAN_DATA_DIR: path.join(this.directory, 'data'),
      WARDIAN_POOL_SIZE: '0',
      ...environment,
    };
  }

  static async open(options: RoomOptions = {}): Promise<EngineRoom> {
    const room = new EngineRoom(options);
    try {
      chmodSync(room.directory, 0o711); // virtual machines run as other users, and pass through it
      room.#writeRuntime();
      await room.#start();
      return room;
    } catch (error) {
      await room.#destroy();
      throw error;
    }
  }

  /** Runs a command in the room to its end. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const child = this.start(argv);
    child.stdin?.end(options.stdin ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? COMMAND_TIMEOUT_MS);
    try {
      return await collectResult(child);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a command and fails unless it ends with 0; returns what it printed, without the last line feed. */
  async succeed(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(argv, options);
    assert.equal(exitCode, 0, `${argv.join(' ')}: ${stderr}${stdout}`);
    return stdout.replace(/\n$/, '');
  }

  /** Starts a command with piped standard streams. */
  start(argv: readonly string[]): ChildProcess {
    const [file, ...rest] = this.buildCommand(argv);
    const child = spawn(file, rest, { env: this.environment, stdio: 'pipe' });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    child.stdin?.on('error', () => {}); // EPIPE: it ended without reading its input
    return child;
  }

  /** Starts a daemon, which ends with the room at the latest; what it prints goes to its log. */
  startDaemon(argv: readonly string[], name: string): ChildProcess {
    const log = openSync(path.join(this.directory, `${name}.log`), 'a');
    const [file, ...rest] = this.buildCommand(argv);
    const child = spawn(file, rest, { env: this.environment, stdio: ['ignore', log, log] });
    closeSync(log);
    return child;
  }

  readDaemonLog(name: string): string {
    return readFileSync(path.join(this.directory, `${name}.log`), 'utf8');
  }

  /** Runs a command on a pseudo-terminal; words are taken as they are by no shell but this one. */
  openTerminal(argv: readonly string[], preparation = ':'): PseudoTerminal {
    const command = this.buildCommand(argv).map(quote).join(' ');
    return new PseudoTerminal(`${preparation}\nexec ${command}`, this.environment);
  }

  /** The whole command that runs `argv` in here. */
  buildCommand(argv: readonly string[]): [string, ...string[]] {
    return buildEnterCommand(this.#initPid, argv);
  }

  /** Processes in the room, but its own first ones. */
  get processes(): RoomProcess[] {
    return readRoomProcesses(this.#initPid);
  }

  /** Pid of the sandboxer as the room sees it. */
  getSandboxerPid(): number | undefined {
    try {
      const lock = path.join(this.#runtimeVariables['WARDIAN_RUNTIME_DIR'] ?? '', 'sandboxer.lock');
      return (JSON.parse(readFileSync(lock, 'utf8')) as { pid: number }).pid;
    } catch {
      return undefined; // no lock: none runs
    }
  }

  /** Waits until no container of an engine is left in any form, and fails when some stays. */
  async assertNothingLeft(): Promise<void> {
    const query = { initPid: this.#initPid, directory: this.directory, name: this.#name };
    assert.deepEqual(await findRoomLeftovers(query, LEAVING_MS), []);
  }

  /** Ends the room with all in it; fails when containers had left something. */
  async close(): Promise<void> {
    try {
      for (const child of this.#children) child.kill('SIGKILL');
      await this.assertNothingLeft();
    } finally {
      await this.#destroy();
    }
  }

  #writeRuntime(): void {
    mkdirSync(path.dirname(this.runtime), { recursive: true });
    const variables = Object.entries({ ...this.#runtimeVariables, ...runVariables() });
    const exports = variables.map(([name, value]) => `export ${name}=${quote(value)}\n`).join('');
    const program = quote(OTHER_RUNTIME ?? path.join(ROOT, 'wardian-runtime'));
    writeFileSync(this.runtime, `#!/bin/sh\n${exports}exec ${program} "$@"\n`, { mode: 0o755 });
  }

  async #start(): Promise<void> {
    const [file, ...rest] = buildRoomCommand(this.#name);
    const room = spawn(file, rest, { env: this.environment, stdio: 'pipe' });
    this.#room = room;
    let text = '';
    room.stderr.on('data', (chunk) => {
      text += String(chunk);
    });
    const signal = AbortSignal.timeout(OPEN_TIMEOUT_MS);
    const ended = once(room, 'close', { signal }).then(([code]) => {
      throw new Error(`a room for engines cannot be made (${code}): ${text}`);
    });
    await Promise.race([once(room.stdout, 'data', { signal }), ended]);
    ended.catch(() => {}); // it ends when the room is closed
    this.#initPid = findChild(room.pid ?? -1);
  }

  async #destroy(): Promise<void> {
    const room = this.#room;
    if (room !== undefined && room.exitCode === null && room.signalCode === null) {
      const gone = once(room, 'close');
      await endProcesses(this.processes);
      room.kill('SIGKILL');
      await gone;
    }
    await removeControlGroups(this.#name);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Variables that mark the processes of one run of all tests, and where this machine keeps templates. */
function runVariables(): Record<string, string> {
  const names = ['WARDIAN_TEST_RUN', 'WARDIAN_CACHE_DIR', 'WARDIAN_GUEST', 'WARDIAN_QEMU'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function findChild(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return Number(children[0]);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Why engines cannot run here, for a test's `skip`; false when they can. */
export function reasonToSkipEngine(programs: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return 'engines need root';
  if (!existsSync('/sys/fs/cgroup/memory/cgroup.procs')) {
    return 'the room for engines knows control groups of version 1 only';
  }
  const folders = [
    '/usr/bin',
    '/usr/sbin',
    '/usr/lib/podman',
    '/usr/libexec/podman',
    '/usr/local/bin',
  ];
  const missing = ['catatonit', ...programs].filter(
    (name) => !folders.some((folder) => existsSync(path.join(folder, name))),
  );
  return missing.length > 0 && `not installed: ${missing.join(', ')}`;
}
