import type { HypervisorDriver } from '../hypervisor/driver.ts';
import type { SandboxMachine } from '../template/clone.ts';
import type { HostResources } from '../template/machine.ts';
import type { Template } from '../template/template.ts';
import type { Trace } from '../util/trace.ts';

/** A machine that has run something already and is nobody's again: it is given away, or forked. */
export interface WarmMachine {
  /** It is forked: a start that was given up does it no harm. Only then can it be given what HostResources names. */
  readonly isStem: boolean;
  /** The machine for a container. When it fails this one is to be discarded. */
  start(request: WarmStart): Promise<SandboxMachine>;
  /** Ends it and removes its folder: it cannot be used. */
  discard(): Promise<void>;
}

export interface WarmStart extends HostResources {
  readonly id: string;
  /** Where a machine that is made now has its folder: it is made then. One that is given away has one. */
  readonly directory: string;
  /** The image that takes the place of the one that the guest ran; undefined: none is wanted, and that one stays. */
  readonly imagePath: string | undefined;
  /** The agent has begun a new session. */
  readonly onSessionRestarted: () => void;
  readonly signal?: AbortSignal;
  readonly trace?: Trace | undefined;
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
