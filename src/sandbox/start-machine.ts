import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { AgentClient } from '../agent/agent-client.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import { bootSandboxMachine, cloneSandboxMachine, type SandboxMachine } from '../template/clone.ts';
import type { GuestPair, PairSource } from '../template/guest-pair.ts';
import { toWardianError, WardianError } from '../util/errors.ts';
import type { Trace } from '../util/trace.ts';
import type { ContainerPlan } from './container-plan.ts';
import type { WarmMachines, WarmSource, WarmStart } from './warm-machines.ts';

/** What every sandbox of one sandboxer shares. */
export interface SandboxServices {
  readonly pairs: PairSource;
  readonly runtimeDirectory: string;
  /** Machines that are quicker than a clone; absent: there are none. */
  readonly warmMachines?: WarmMachines;
}

export interface StartOptions {
  readonly signal?: AbortSignal;
  /** One line about a long step, such as making a template. */
  readonly onProgress?: (line: string) => void;
  /** Told of each phase that is over. */
  readonly trace?: Trace | undefined;
}

export interface MachineOptions extends StartOptions {
  /** The sandbox's folder; a new machine gets one of its own in it. */
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

/**
 * The machine for a container: a warm one, else a clone of the template of its size, or one that boots when the plan
 * asks for that. Its folder is the caller's to remove.
 */
export async function startMachine(
  services: SandboxServices,
  plan: ContainerPlan,
  { directory, ...options }: MachineOptions,
): Promise<StartedMachine> {
  const pair = await services.pairs.choose(plan.guestName);
  const { driver, templates, guest } = pair;
  const place = {
    ...plan.host,
    id: plan.id,
    directory: path.join(directory, 'machine'),
    imagePath: plan.image.erofsPath,
  };
  if (!plan.fromTemplate) {
    await makeMachineDirectory(place.directory);
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
  const warm = await takeWarmMachine(services, { driver, template }, { ...place, ...options });
  if (warm !== undefined) {
    options.trace?.mark('sandboxer', 'machine taken from the pool, with its image');
    return { ...warm, templateKey: template.key, pair };
  }
  await makeMachineDirectory(place.directory);
  const cloned = await cloneSandboxMachine({ driver, template, ...place, ...options });
  return { ...cloned, templateKey: template.key, pair };
}

/** Whatever is wrong with a warm machine, a cold one takes its place. */
async function takeWarmMachine(
  { warmMachines }: SandboxServices,
  source: WarmSource,
  request: WarmStart,
): Promise<SandboxMachine | undefined> {
  const { signal } = request;
  if (signal?.aborted) throw cancelled(); // before anything is taken for it
  // A running machine cannot be given another share; one that is forked gets it with its own descriptors.
  const isOpen = request.share === undefined || source.driver.capabilities.forking;
  const warm = isOpen ? warmMachines?.take(source) : undefined;
  if (warm === undefined) return undefined;
  try {
    return await warm.start(request);
  } catch (error) {
    const isUnharmed = warm.isStem && signal?.aborted === true;
    if (!isUnharmed) await warm.discard().catch(() => {}); // the next sandboxer clears it away
    if (signal?.aborted) throw cancelled();
    warmMachines?.report(toWardianError(error).message);
    return undefined;
  }
}

function cancelled(): WardianError {
  return new WardianError('CANCELLED', 'the start was cancelled');
}

async function makeMachineDirectory(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o711 });
}
