import type { AgentClient } from '../agent/agent-client.ts';
import type { HypervisorDriver, VirtualMachine } from '../hypervisor/driver.ts';
import type { Template } from '../template/template.ts';

/** A clone that has run something already, is nobody's again, and is now given away. */
export interface WarmMachine {
  readonly machine: VirtualMachine;
  readonly agent: AgentClient;
  /** Replaces the image that the guest ran by another, and lets the guest go on. */
  wake(imagePath: string): Promise<void>;
  /** Says who is to hear when the agent begins a new session. */
  listen(onSessionRestarted: () => void): void;
  /** Ends it and removes its folder: it cannot be used. */
  discard(): Promise<void>;
}

/** Where warm machines come from. */
export interface WarmMachines {
  /** One of this template, if there is one at hand; undefined: make a cold one. Asking tells what is in demand. */
  take(source: WarmSource): WarmMachine | undefined;
  /** Told of one that was taken and could not be used. */
  report(problem: string): void;
}

/** What a warm machine is cloned from, and by whom. */
export interface WarmSource {
  readonly driver: HypervisorDriver;
  readonly template: Template;
}
