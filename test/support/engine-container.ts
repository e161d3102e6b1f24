import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { SandboxerClient } from '../../src/sandboxer/client.ts';
import type { CreateContainerRequest } from '../../src/sandboxer/engine-api.ts';
import { VERSION } from '../../src/util/version.ts';
import type { TestHost } from './test-host.ts';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const APPLETS = ['sh', 'cat', 'echo', 'sleep', 'true', 'ls', 'mount', 'ps', 'hostname', 'kill'];
const DEFAULT_CACHE = '/var/cache/wardian';

/** The sandboxer of a test's user, which is started when none runs. */
export function connectSandboxer(host: TestHost): Promise<SandboxerClient> {
  return SandboxerClient.connect({
    directories: {
      runtime: host.runtimeDirectory,
      data: host.dataDirectory,
      cache: host.environment['WARDIAN_CACHE_DIR'] ?? DEFAULT_CACHE,
    },
    version: VERSION,
    sandboxerPath: path.join(DIST, 'sandboxer.cjs'),
    environment: host.environment,
  });
}

/** A root file system of one program, in the test's folder. */
export function makeRootfs(host: TestHost, name: string): string {
  const rootfs = path.join(host.directory, name);
  for (const folder of ['bin', 'proc', 'dev', 'sys', 'tmp']) {
    mkdirSync(path.join(rootfs, folder), { recursive: true });
  }
  copyFileSync('/bin/busybox', path.join(rootfs, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', path.join(rootfs, 'bin', applet));
  return rootfs;
}

export interface EngineOptions {
  /** Arguments of the process. */
  readonly command: readonly string[];
  readonly rootfs: string;
  /** Of config.json's `linux`, beside the namespaces. */
  readonly linux?: object;
  readonly hostname?: string;
  readonly namespaces?: readonly { type: string; path?: string }[];
  /** Whose sandbox it joins. */
  readonly sandbox?: EngineContainer;
}

const NAMESPACES = ['mount', 'pid', 'network', 'ipc', 'uts'].map((type) => ({ type }));

/** What an engine and the runtime's command line do for a container, without either: its stub and the requests. */
export class EngineContainer {
  readonly id: string;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly #name: string;
  readonly #options: EngineOptions;
  readonly #stub: Stub;
  readonly #shareDirectory: string;

  private constructor(host: TestHost, name: string, options: EngineOptions) {
    this.#name = name;
    this.#options = options;
    this.id = createHash('sha256').update(`${host.directory}\0${name}`).digest('hex');
    this.#shareDirectory = path.join(host.directory, 'share');
    mkdirSync(this.#shareDirectory, { recursive: true });
    const { sandbox, rootfs } = options;
    this.#stub = new Stub(host, [
      ...['--container', this.id, '--share', this.#shareDirectory, '--folder', name],
      ...(sandbox === undefined ? [] : ['--share-namespace', `/proc/${sandbox.pid}/ns/mnt`]),
      ...['--rootfs', rootfs],
    ]);
    this.exited = this.#stub.exited;
  }

  /** Its stub is ready; nothing is asked of the sandboxer yet. */
  static async prepare(
    host: TestHost,
    name: string,
    options: EngineOptions,
  ): Promise<EngineContainer> {
    const container = new EngineContainer(host, name, options);
    await container.#stub.ready;
    return container;
  }

  /** Created, and its stub attached. */
  static async create(
    host: TestHost,
    name: string,
    options: EngineOptions,
  ): Promise<EngineContainer> {
    const container = await EngineContainer.prepare(host, name, options);
    const client = await connectSandboxer(host);
    try {
      await client.call('createContainer', container.describe());
    } catch (error) {
      container.kill();
      throw error;
    } finally {
      client.close();
    }
    container.go();
    return container;
  }

  /** Of the stub. */
  get pid(): number {
    return this.#stub.pid;
  }

  get stdout(): string {
    return this.#stub.output.stdout;
  }

  get stderr(): string {
    return this.#stub.output.stderr;
  }

  get stdin() {
    return this.#stub.child.stdin;
  }

  /** Fulfilled when the output begins with this text. */
  async waitForOutput(text: string): Promise<void> {
    await this.#stub.waitForOutput(text);
  }

  /** It was created: its stub attaches. */
  go(): void {
    this.#stub.go();
  }

  /** Kills the stub. */
  kill(): void {
    this.#stub.child.kill('SIGKILL');
  }

  describe(): CreateContainerRequest {
    const { command, linux, hostname, namespaces = NAMESPACES, sandbox } = this.#options;
    const spec = {
      ociVersion: '1.0.2',
      root: { path: 'rootfs' },
      process: { ...describeProcess(command) },
      ...(hostname !== undefined && { hostname }),
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ],
      linux: { namespaces, ...linux },
    };
    return {
      id: this.id,
      name: this.#name,
      spec: JSON.stringify(spec),
      share: {
        directory: `/proc/${(sandbox ?? this).pid}/root${this.#shareDirectory}`,
        folder: this.#name,
        binds: [],
      },
      stub: this.#stub.identity,
      cgroupDirectories: [],
      hookState: '{}',
      ...(sandbox !== undefined && { sandbox: sandbox.id }),
    };
  }
}

/** One more process in a container of an engine. */
export class EngineExec {
  readonly #stub: Stub;

  private constructor(stub: Stub) {
    this.#stub = stub;
  }

  static async start(
    host: TestHost,
    container: string,
    command: readonly string[],
  ): Promise<EngineExec> {
    const execId = createHash('sha256').update(String(Math.random())).digest('hex');
    const stub = new Stub(host, ['--container', container, '--exec', execId]);
    await stub.ready;
    const client = await connectSandboxer(host);
    try {
      const process = JSON.stringify(describeProcess(command));
      await client.call('execContainer', { container, execId, process, stub: stub.identity });
    } catch (error) {
      stub.child.kill('SIGKILL');
      throw error;
    } finally {
      client.close();
    }
    stub.go();
    return new EngineExec(stub);
  }

  get exited() {
    return this.#stub.exited;
  }

  get stdout(): string {
    return this.#stub.output.stdout;
  }

  kill(): void {
    this.#stub.child.kill('SIGKILL');
  }
}

function describeProcess(args: readonly string[]): object {
  return { args, cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } };
}

/** The stub's process with the end of its control socket that the command line would have. */
class Stub {
  readonly child: ChildProcess;
  readonly output = { stdout: '', stderr: '' };
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly ready: Promise<void>;
  readonly #control: Duplex;

  constructor(host: TestHost, options: readonly string[]) {
    const socket = path.join(host.runtimeDirectory, 'sandboxer.sock');
    const sandboxer = [process.execPath, path.join(DIST, 'sandboxer.cjs')];
    const argv = ['--socket', socket, ...options, '--', ...sandboxer];
    this.child = spawn(path.join(DIST, 'stub'), argv, {
      env: host.environment,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    this.#control = this.child.stdio[3] as Duplex;
    this.#control.on('error', () => {}); // it has ended
    this.child.stdin?.on('error', () => {}); // EPIPE: it reads no more
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.on('data', (chunk: Buffer) => {
        this.output[name] += chunk;
      });
    }
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve(code ?? signal));
    });
    this.ready = this.#waitUntilReady();
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get identity(): { pid: number; startTicks: string } {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return { pid: this.pid, startTicks };
  }

  go(): void {
    this.#control.write('go\n');
  }

  async waitForOutput(text: string): Promise<void> {
    while (!this.output.stdout.startsWith(text)) {
      const more = new Promise((resolve) => this.child.stdout?.once('data', resolve));
      const end = this.exited.then((code) => {
        if (this.output.stdout.startsWith(text)) return;
        throw new Error(`it ended with ${code} after ${JSON.stringify(this.output)}`);
      });
      await Promise.race([more, end]);
    }
  }

  async #waitUntilReady(): Promise<void> {
    const line = await new Promise<string>((resolve) => {
      this.#control.once('data', (chunk: Buffer) => resolve(String(chunk).trim()));
      this.#control.once('close', () => resolve('it has ended'));
    });
    if (line !== 'ready') throw new Error(`the stub said: ${line}`);
  }
}
