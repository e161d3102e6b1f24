import {
  type ChildProcess,
  type ChildProcessByStdio,
  execFileSync,
  spawn,
} from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

/** A network namespace of a test's own: it lives as long as a process in it. */
export class NetworkNamespace {
  readonly processId: number;
  readonly path: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.processId = child.pid as number;
    this.path = `/proc/${this.processId}/ns/net`;
  }

  static async create(): Promise<NetworkNamespace> {
    const argv = ['--net', 'sh', '-c', 'echo ready; exec sleep 600'];
    const child = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const namespace = new NetworkNamespace(child);
    namespace.run('ip', 'link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Runs a program of the host in it; returns what it printed. */
  run(...argv: string[]): string {
    const all = ['--target', String(this.processId), '--net', '--', ...argv];
    return execFileSync('nsenter', all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Starts one, whose standard output is a pipe. */
  start(...argv: string[]): ChildProcessByStdio<null, Readable, null> {
    const all = ['--target', String(this.processId), '--net', '--', ...argv];
    return spawn('nsenter', all, { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  /** Each of these is the arguments of ip(8), separated by blanks. */
  ip(...commands: string[]): void {
    for (const command of commands) this.run('ip', ...command.split(' '));
  }

  async delete(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** False, or why this machine cannot make network namespaces. */
export function reasonToSkipNamespaces(): string | false {
  if (process.getuid?.() !== 0) return 'making network namespaces needs root';
  try {
    execFileSync('unshare', ['--net', 'tc', '-V'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'network namespaces, or tc of iproute2, are missing';
  }
}
