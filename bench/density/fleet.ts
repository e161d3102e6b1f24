import type { SandboxerClient } from '../../src/sandboxer/client.ts';
import { listProcesses } from '../memory.ts';
import type { Bench } from '../rows/row.ts';
import { waitForPool } from '../wait-for-pool.ts';
import { createRunRequest, stopSandboxer, type WardianCommands } from '../wardian.ts';
import type { Population } from './census.ts';
import { runTogether } from './run-together.ts';

/** What all containers of a fleet run. */
export interface Workload {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
}

/** As many as there are cores on the machine that the budgets are for. */
const STARTS_IN_FLIGHT = 2;

/** Containers that idle, in a sandboxer of their own. */
export class Fleet {
  readonly #before: ReadonlySet<number>;
  readonly #commands: WardianCommands;
  readonly #client: SandboxerClient;
  readonly #sandboxer: number;
  readonly #machines: number[] = [];

  private constructor(
    before: ReadonlySet<number>,
    commands: WardianCommands,
    connection: { client: SandboxerClient; pid: number },
  ) {
    this.#before = before;
    this.#commands = commands;
    this.#client = connection.client;
    this.#sandboxer = connection.pid;
  }

  /** Starts a sandboxer; `prepare` is done with its commands before anything is counted. */
  static async open(
    bench: Bench,
    name: string,
    prepare: (commands: WardianCommands) => Promise<void>,
  ): Promise<Fleet> {
    const before = listProcesses();
    const commands = bench.createCommands(name);
    try {
      await prepare(commands);
      const runner = bench.createRunner(commands);
      await runner.time(commands.run('--rm', 'busybox', 'true')); // makes template and image where they are not there yet
      const client = await commands.connectIfRunning();
      if (client === undefined) throw new Error('the sandboxer has left');
      const { pid } = await client.call('info', {});
      await waitForPool(client);
      return new Fleet(before, commands, { client, pid });
    } catch (error) {
      await stopSandboxer(commands);
      throw error;
    }
  }

  get size(): number {
    return this.#machines.length;
  }

  /** Starts containers until there are `count`. */
  async grow(count: number, workload: Workload, signal: AbortSignal): Promise<void> {
    const missing = Math.max(0, count - this.#machines.length);
    await runTogether(missing, STARTS_IN_FLIGHT, async () => {
      signal.throwIfAborted();
      const request = { ...createRunRequest(workload.command), image: workload.image };
      const { id } = await this.#client.call('run', request);
      const { state } = await this.#client.call('inspect', { container: id });
      if (!state.running) throw new Error(`${workload.name} ended at once: ${state.error}`);
      this.#machines.push(state.pid);
    });
  }

  /** Everybody who is there because of these containers. */
  listPopulation(): Population {
    const known = new Set([...this.#before, this.#sandboxer, ...this.#machines]);
    const others = [...listProcesses()].filter((pid) => !known.has(pid));
    return { sandboxer: this.#sandboxer, machines: this.#machines, others };
  }

  /** Ends everything, which is quick: the machines are killed. */
  async close(): Promise<void> {
    this.#client.close();
    await stopSandboxer(this.#commands);
  }
}
