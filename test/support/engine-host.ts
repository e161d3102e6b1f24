import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { SandboxState } from '../../src/sandbox/sandbox-state.ts';
import type { SandboxerMethods } from '../../src/sandboxer/api.ts';
import {
  connectSandboxer,
  EngineContainer,
  type EngineOptions,
  makeRootfs,
} from './engine-container.ts';
import { TestHost } from './test-host.ts';

const PATIENCE_MS = 20_000;

/** A user whose containers are an engine's: made through the sandboxer's calls, with a stub each. */
export class EngineHost {
  readonly host = new TestHost();
  readonly rootfs = makeRootfs(this.host, 'rootfs');
  readonly #created: EngineContainer[] = [];
  #count = 0;

  constructor() {
    mkdirSync(this.host.runtimeDirectory, { mode: 0o700 }); // stubs look for the socket in it
  }

  /** One call over a connection of its own; starts a sandboxer when there is none. */
  async call<M extends keyof SandboxerMethods>(
    method: M,
    request: SandboxerMethods[M]['request'],
  ): Promise<SandboxerMethods[M]['response']> {
    const client = await connectSandboxer(this.host);
    try {
      return await client.call(method, request);
    } finally {
      client.close();
    }
  }

  /** Creates a container of busybox that runs a script of the shell. */
  async create(script: string, options: Partial<EngineOptions> = {}): Promise<EngineContainer> {
    this.#count += 1;
    const container = await EngineContainer.create(this.host, `c${this.#count}`, {
      ...{ command: ['sh', '-c', script], rootfs: this.rootfs },
      ...options,
    });
    this.#created.push(container);
    return container;
  }

  async start({ id }: EngineContainer): Promise<void> {
    await this.call('startContainer', { container: id });
  }

  async remove({ id }: EngineContainer): Promise<void> {
    await this.call('deleteContainer', { container: id });
  }

  killSandboxer(): void {
    const pid = this.host.getSandboxerPid();
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
  }

  /** Folders of containers, one each. */
  listSandboxes(): string[] {
    return readdirSync(path.join(this.host.runtimeDirectory, 'sandboxes'));
  }

  /** Of the VMM of a container's own sandbox. */
  readMachinePid({ id }: EngineContainer): number {
    const file = path.join(
      this.host.runtimeDirectory,
      ...['sandboxes', id.slice(0, 16), 'state.json'],
    );
    const state = JSON.parse(readFileSync(file, 'utf8')) as SandboxState;
    return state.machine?.record.pid ?? 0;
  }

  /** Ticks of processor time (proc(5), stat fields 14 and 15) that the container's VMM uses. */
  async countTicks(container: EngineContainer, durationMs: number): Promise<number> {
    const pid = this.readMachinePid(container);
    const readTicks = (): number => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const [user, system] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13);
      return Number(user) + Number(system);
    };
    const before = readTicks();
    await pauseMs(durationMs);
    return readTicks() - before;
  }

  /** Removes what a test that failed has left, and fails when anything else is left. */
  async close(): Promise<void> {
    for (const container of this.#created) container.kill();
    for (const container of this.#created) await this.remove(container);
    await this.host.close();
  }
}

export async function waitUntil(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    assert.ok(Date.now() < deadline, 'it took too long');
    await pauseMs(20);
  }
}

export function pauseMs(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
