import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestHost } from './test-host.ts';

const RUNTIME = fileURLToPath(new URL('../../dist/runtime.cjs', import.meta.url));
const APPLETS = ['sh', 'cat', 'echo', 'sleep', 'true', 'false', 'ls', 'id', 'stty', 'seq', 'kill'];
const NAMESPACES = ['mount', 'pid', 'network', 'ipc', 'uts'].map((type) => ({ type }));
const MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
  },
];
/** Long enough for a template to be made on a busy machine. */
const TIMEOUT_MS = 120_000;

/** A command of the runtime that has ended, and what it and its container have written until now. */
export interface RuntimeResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What makes a config.json; the rest is that of a small container without limits. */
export interface BundleOptions {
  readonly args?: readonly string[];
  /** Members of `process` beside args. */
  readonly process?: object;
  readonly linux?: object;
  /** Members of the whole. */
  readonly spec?: object;
}

/** An engine's view: folders of its own, bundles, and `wardian-runtime`. `close` fails when anything is left behind. */
export class RuntimeHost {
  readonly host: TestHost;
  readonly root: string;
  #commands = 0;

  constructor(environment: Record<string, string> = {}) {
    this.host = new TestHost(environment);
    this.root = path.join(this.host.directory, 'root');
    makeRootfs(path.join(this.host.directory, 'rootfs'));
  }

  /** Writes a bundle of busybox, and returns its folder. */
  makeBundle(id: string, options: BundleOptions = {}): string {
    const bundle = path.join(this.host.directory, `bundle-${id}`);
    mkdirSync(bundle, { recursive: true });
    const { args = ['true'], linux = {}, spec = {} } = options;
    const config = {
      ociVersion: '1.0.2',
      root: { path: path.join(this.host.directory, 'rootfs') },
      process: { cwd: '/', env: ['PATH=/bin'], args, ...options.process },
      mounts: MOUNTS,
      linux: { namespaces: NAMESPACES, cgroupsPath: `${this.cgroup}/${id}`, ...linux },
      ...spec,
    };
    writeFileSync(path.join(bundle, 'config.json'), JSON.stringify(config));
    return bundle;
  }

  /** Below it, in every hierarchy, are the cgroups of this host's containers. */
  get cgroup(): string {
    return `/${path.basename(this.host.directory)}`;
  }

  /** What runs the runtime with these arguments. */
  getCommandLine(arguments_: readonly string[]): string[] {
    return [process.execPath, '--', RUNTIME, '--root', this.root, ...arguments_];
  }

  /** Starts the runtime. Its streams are files, which containers go on writing to when the command has ended. */
  start(
    arguments_: readonly string[],
    options: { stdin?: string; cwd?: string } = {},
  ): RuntimeCommand {
    this.#commands += 1;
    const base = path.join(this.host.directory, `command-${this.#commands}`);
    writeFileSync(`${base}.in`, options.stdin ?? '');
    const streams = ['in', 'out', 'err'].map((name) =>
      openSync(`${base}.${name}`, name === 'in' ? 'r' : 'w'),
    );
    const [file = '', ...argv] = this.getCommandLine(arguments_);
    const child = spawn(file, argv, {
      cwd: options.cwd ?? '/',
      env: this.host.environment,
      stdio: [streams[0], streams[1], streams[2]],
    });
    for (const stream of streams) closeSync(stream);
    return new RuntimeCommand(child, base);
  }

  /** Runs the runtime to its end. */
  run(
    arguments_: readonly string[],
    options: { stdin?: string; cwd?: string } = {},
  ): Promise<RuntimeResult> {
    return this.start(arguments_, options).ended;
  }

  /** Runs it and fails unless it ends with 0; returns what it printed. */
  async succeed(...arguments_: readonly string[]): Promise<string> {
    const result = await this.run(arguments_);
    assert.equal(result.exitCode, 0, `${arguments_.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** Runs it and fails unless it ends with 1 and one line that matches. */
  async fail(message: RegExp, ...arguments_: readonly string[]): Promise<void> {
    const result = await this.run(arguments_);
    assert.equal(result.exitCode, 1, arguments_.join(' '));
    assert.match(result.stderr, message);
    assert.match(result.stderr, /^[^\n]*\n$/);
  }

  async getState(id: string): Promise<{ status: string; pid: number; [key: string]: unknown }> {
    return JSON.parse(await this.succeed('state', id));
  }

  /** Waits until a container has a status. */
  async waitForStatus(id: string, status: string): Promise<void> {
    for (const deadline = Date.now() + TIMEOUT_MS; ; ) {
      const state = await this.getState(id);
      if (state.status === status) return;
      assert.ok(Date.now() < deadline, `${id} is ${state.status}, not ${status}`);
    }
  }

  /** What is left of containers: folders of the root, cgroups. */
  listLeftovers(): string[] {
    const cgroups = this.#listParents().flatMap((parent) =>
      readdirSync(parent, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => path.join(parent, name)),
    );
    return [...this.#listIds(), ...cgroups];
  }

  async close(): Promise<void> {
    const left = this.listLeftovers();
    for (const id of this.#listIds()) await this.run(['delete', '--force', id]);
    // They were an engine's to make: of several containers the first makes them, and the last cannot know.
    for (const parent of this.#listParents()) rmdirSync(parent);
    await this.host.close();
    assert.deepEqual(left, []);
  }

  #listIds(): string[] {
    return existsSync(this.root) ? readdirSync(this.root) : [];
  }

  #listParents(): string[] {
    const hierarchies = readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`);
    const parents = hierarchies.map((hierarchy) => `${hierarchy}${this.cgroup}`);
    // Some names are links to one and the same.
    return [
      ...new Set(
        parents.filter((parent) => existsSync(parent)).map((parent) => realpathSync(parent)),
      ),
    ];
  }
}

export class RuntimeCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<RuntimeResult>;
  readonly #base: string;

  constructor(child: ChildProcess, base: string) {
    this.child = child;
    this.#base = base;
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    this.ended = new Promise((resolve) => {
      child.once('exit', (exitCode, signal) => {
        clearTimeout(timer);
        resolve({ exitCode, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** What was written until now. */
  get stdout(): string {
    return readFileSync(`${this.#base}.out`, 'utf8');
  }

  get stderr(): string {
    return readFileSync(`${this.#base}.err`, 'utf8');
  }
}

function makeRootfs(rootfs: string): void {
  for (const folder of ['bin', 'proc', 'dev', 'sys', 'tmp', 'data']) {
    mkdirSync(path.join(rootfs, folder), { recursive: true });
  }
  copyFileSync('/bin/busybox', path.join(rootfs, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', path.join(rootfs, 'bin', applet));
  writeFileSync(path.join(rootfs, 'bin/unrunnable'), 'text', { mode: 0o644 });
}
