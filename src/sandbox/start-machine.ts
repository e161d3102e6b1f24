import path from 'node:path';
import type { AgentClient } from '../agent/agent-client.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import { bootSandboxMachine, cloneSandboxMachine } from '../template/clone.ts';
import type { GuestPair, PairSource } from '../template/guest-pair.ts';
import type { Trace } from '../util/trace.ts';
import type { ContainerPlan } from './container-plan.ts';

/** What every sandbox of one sandboxer shares. */
export interface SandboxServices {
  readonly pairs: PairSource;
  readonly runtimeDirectory: string;
}

export interface StartOptions {
  readonly signal?: AbortSignal;
  /** One line about a long step, such as making a template. */
  readonly onProgress?: (line: string) => void;
  /** Told of each phase that is over. */
  readonly trace?: Trace | undefined;
}

export interface MachineOptions extends StartOptions {
  /** The sandbox's folder; the machine gets one of its own in it. */
  readonly directory: string;
  /** The agent has begun a new session: what was open must be opened again. */
  readonly onSessionRestarted: () => void;
}

/** A machine that is nobody's yet, with its agent. */
export interface StartedMachine {
  readonly machine: VirtualMachine;
  readonly agent: AgentClient;
  /** Empty when it was booted cold. */
  readonly templateKey: string;
  readonly pair: GuestPair;
}

/** The machine for a container: a clone of the template of its size, or one that boots when the plan asks for that. */
export async function startMachine(
  services: SandboxServices,
  plan: ContainerPlan,
  { directory, ...options }: MachineOptions,
): Promise<StartedMachine> {
  const pair = await services.pairs.choose(plan.guestName);
  const { driver, templates, guest } = pair;
  const place = {
    id: plan.id,
    directory: path.join(directory, 'machine'),
    imagePath: plan.image.erofsPath,
  };
  if (!plan.fromTemplate) {
    const booted = await bootSandboxMachine({
      driver,
      guest,
      size: plan.size,
      ...place,
      ...options,
    });
    return { ...booted, templateKey: '', pair };
  }
  const template = await templates.obtain(plan.size, options);
  options.trace?.mark('sandboxer', 'template at hand');
  const cloned = await cloneSandboxMachine({ driver, template, ...place, ...options });
  return { ...cloned, templateKey: template.key, pair };
}
