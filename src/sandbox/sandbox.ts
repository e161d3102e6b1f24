import type { AgentClient } from '../agent/agent-client.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import { waitMs } from './wait-ms.ts';

/** What a sandbox tells a container in it. */
export interface Inhabitant {
  /** The agent has begun a new session and forgot the open streams. */
  reconnect(): void;
  /** `failure`: what happened, for people; undefined when the sandbox was to end. */
  onMachineGone(failure: string | undefined): void;
}

/** Between the closing of a machine's channel and its end; then it is alive, and its channel alone is gone. */
const DYING_MS = 500;

/** A virtual machine with its agent, and who lives in it. */
export class Sandbox {
  readonly machine: VirtualMachine;
  readonly agent: AgentClient;
  readonly #inhabitants = new Map<string, Inhabitant>();
  #failure = '';
  #isEnding = false;
  #isReleased = false;

  constructor(machine: VirtualMachine, agent: AgentClient) {
    this.machine = machine;
    this.agent = agent;
    this.#watch();
  }

  /** Another sandboxer is going to look after it. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** It is about to end: nobody can move in any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  add(id: string, inhabitant: Inhabitant): void {
    this.#inhabitants.set(id, inhabitant);
  }

  remove(id: string): void {
    this.#inhabitants.delete(id);
  }

  reconnect(): void {
    for (const inhabitant of this.#inhabitants.values()) inhabitant.reconnect();
  }

  /** What comes now is the end that was meant to be. */
  expectEnd(): void {
    this.#isEnding = true;
  }

  /** Lets go without ending anything: the next sandboxer adopts what runs. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.agent.close();
    this.machine.release();
  }

  #watch(): void {
    this.machine.exited.then(({ reason }) => this.#onMachineExit(reason));
    this.agent.ended.then(async (error) => {
      // A guest that breaks the protocol, or whose channel is gone, can't be trusted to go on.
      if (this.#isReleased || this.#isEnding) return;
      if (error?.code === 'SANDBOX_DIED' && (await this.#isDying())) return;
      if (error !== undefined) this.#failure ||= error.message;
      await this.machine.kill();
    });
  }

  /** A machine that dies closes its channel first; what it died of says more than that. */
  async #isDying(): Promise<boolean> {
    const died = this.machine.exited.then(() => true);
    return (await Promise.race([died, waitMs(DYING_MS)])) ?? false;
  }

  #onMachineExit(reason: string): void {
    if (this.#isReleased) return;
    const failure = this.#isEnding ? undefined : this.#failure || reason;
    this.#isEnding = true;
    for (const inhabitant of [...this.#inhabitants.values()]) inhabitant.onMachineGone(failure);
  }
}
