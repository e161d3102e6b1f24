import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { AgentClient } from '../agent/agent-client.ts';
import { removeTree } from '../host/remove-tree.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import type { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import type { ContainerPlan } from './container-plan.ts';
import { type MachineState, type SandboxState, sandboxDirectory } from './sandbox-state.ts';
import {
  type MachineOptions,
  type SandboxServices,
  type StartedMachine,
  startMachine,
} from './start-machine.ts';

/** Seed of a clone's random number generator: as much as the kernel's pool takes at once. */
const ENTROPY_BYTES = 64;

/** Makes the folder of a container that is about to be; an undo removes it. */
export function makeDirectory(
  { runtimeDirectory }: SandboxServices,
  { id }: ContainerPlan,
  cleanup: Cleanup,
): string {
  const directory = sandboxDirectory(runtimeDirectory, id);
  mkdirSync(path.dirname(directory), { recursive: true, mode: 0o711 });
  mkdirSync(directory, { mode: 0o711 });
  cleanup.defer('sandbox folder', () => removeTree(directory));
  return directory;
}

/** The machine of a container that is about to be; undos end it and remove its folder, which may be one of the pool's. */
export async function acquireMachine(
  services: SandboxServices,
  plan: ContainerPlan,
  { cleanup, ...options }: MachineOptions & { readonly cleanup: Cleanup },
): Promise<StartedMachine> {
  const started = await startMachine(services, plan, options);
  const { machine } = started;
  cleanup.defer('machine folder', () => removeTree(machine.record.directory));
  cleanup.defer('virtual machine', () => machine.kill());
  return started;
}

/** What is written down of a container before it runs; `started` is absent for one that joins another's sandbox. */
export function describeState(plan: ContainerPlan, started?: StartedMachine): SandboxState {
  return {
    version: 1,
    id: plan.id,
    name: plan.name,
    image: { reference: plan.image.reference, id: plan.image.id },
    createdAtMs: Date.now(),
    request: plan.request,
    spec: plan.spec,
    stopSignal: plan.stopSignal,
    ...(started !== undefined && { machine: describeMachine(plan, started) }),
    owned: plan.owned,
    status: 'created',
    error: '',
    execs: [],
    ...(plan.engine !== undefined && { engine: { ...plan.engine } }),
  };
}

function describeMachine(
  { size }: ContainerPlan,
  { machine, templateKey, pair }: StartedMachine,
): MachineState {
  return {
    record: machine.record,
    accelerator: pair.driver.accelerator,
    cpus: size.cpus,
    memoryBytes: size.memoryBytes,
    templateKey,
    kernelRelease: pair.guest.kernelRelease,
    guest: pair.guest.name,
    vmm: `${pair.vmm}: ${pair.vmmVersion}`,
  };
}

/** Makes a clone somebody: its random numbers, clock, host name and network devices. */
export function personalize(agent: AgentClient, plan: ContainerPlan): Promise<void> {
  return agent.personalize({
    entropy: randomBytes(ENTROPY_BYTES),
    realtimeNanoseconds: BigInt(Date.now()) * 1_000_000n,
    hostname: plan.hostname,
    interfaces: plan.network?.interfaces ?? [], // without a network there is none to see, nor a MAC address to change
  });
}

/** What is asked of a guest fails at once when its machine ends. */
export async function orDied<T>(machine: VirtualMachine, work: Promise<T>): Promise<T> {
  const died = machine.exited.then(({ reason }) => {
    throw new WardianError('SANDBOX_DIED', `the virtual machine ended while it started: ${reason}`);
  });
  return await Promise.race([work, died]);
}
