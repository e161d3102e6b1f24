import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { FakeProcess } from './fake-process.ts';
import { FakeSandboxer } from './fake-sandboxer.ts';

export const STUB =
  process.env['WARDIAN_STUB'] ?? fileURLToPath(new URL('../../dist/stub', import.meta.url));
export const KEY = 'c0ffee'.repeat(10);

export interface StubOptions {
  readonly arguments?: readonly string[];
  /** Argument vector of the sandboxer that it may start. */
  readonly sandboxer?: readonly string[];
  readonly stdio?: readonly ('pipe' | 'ignore' | number)[];
  readonly environment?: Record<string, string>;
}

/** A stub beside a fake sandboxer, with the end of its control socket that the command line would have. */
export class StubRun {
  readonly folder = mkdtempSync('/tmp/wardian-stub-');
  readonly process = new FakeProcess();
  readonly sandboxer = new FakeSandboxer(path.join(this.folder, 's.sock'), this.process);
  child!: ChildProcess;
  control!: Duplex;
  readonly #chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  #exited!: Promise<{ code: number | null; signal: string | null }>;

  /** Starts it; resolves with the line that it says. */
  async prepare(options: StubOptions = {}): Promise<string> {
    const arguments_ = [
      ...['--socket', this.sandboxer.socketPath, '--container', KEY],
      ...(options.arguments ?? []),
      ...(options.sandboxer === undefined ? [] : ['--', ...options.sandboxer]),
    ];
    this.child = spawn(STUB, arguments_, {
      stdio: [...(options.stdio ?? ['pipe', 'pipe', 'pipe']), 'pipe'],
      env: {
        PATH: process.env['PATH'],
        // Of a stub with sanitizers (native/Makefile, stub-sanitized), which WARDIAN_STUB may name.
        ASAN_OPTIONS: process.env['ASAN_OPTIONS'],
        ...options.environment,
      },
    });
    this.child.stdin?.on('error', () => {}); // EPIPE: it reads no more, which a test may want
    this.control = this.child.stdio[3] as Duplex;
    this.control.on('error', () => {}); // it has ended
    this.#exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    return readLine(this.control);
  }

  /** Collects what it writes; without this nobody reads. */
  collect(): void {
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.on('data', (chunk: Buffer) => this.#chunks[name].push(chunk));
    }
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#chunks.stdout);
  }

  get stderr(): string {
    return Buffer.concat(this.#chunks.stderr).toString();
  }

  go(): void {
    this.control.write('go\n');
  }

  /** All of it: the sandboxer listens, the stub serves. */
  async start(options: StubOptions = {}): Promise<void> {
    await this.sandboxer.listen();
    const line = await this.prepare(options);
    if (line !== 'ready') throw new Error(`the stub said ${line}`);
    this.collect();
    this.go();
    await this.sandboxer.waitFor(() => this.sandboxer.attaches.length > 0);
  }

  /** Its exit code, when all that it wrote was read. */
  async waitForExit(): Promise<number | string | null> {
    const { code, signal } = await this.#exited;
    await Promise.all(
      [this.child.stdout, this.child.stderr].map((stream) =>
        stream === null || stream.closed || stream.listenerCount('data') === 0
          ? undefined
          : new Promise((resolve) => stream.once('close', resolve)),
      ),
    );
    return code ?? signal;
  }

  close(): void {
    this.child?.kill('SIGKILL');
    this.control?.destroy();
    this.sandboxer.die();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function readLine(stream: Duplex): Promise<string> {
  let text = '';
  await new Promise<void>((resolve) => {
    const take = (chunk: Buffer): void => {
      text += String(chunk);
      if (!text.includes('\n')) return;
      stream.off('data', take);
      resolve();
    };
    stream.on('data', take).once('end', resolve);
  });
  return text.trim();
}

/** The same bytes at the same offset, different everywhere near. */
export function makeBytes(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; at++) bytes[at] = (at ^ (at >>> 8) ^ (at >>> 16)) & 0xff;
  return bytes;
}
