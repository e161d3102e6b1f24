import type { Resources } from '../../oci/runtime-spec/types.ts';
import type { MachineState } from '../../sandbox/sandbox-state.ts';
import { WardianError } from '../../util/errors.ts';
import { findLimits } from './plan-engine-container.ts';

/** Refuses limits that the machine of a container is too small for: it keeps the size with which it started. */
export function checkGrowth(resources: Resources, machine: MachineState | undefined): void {
  if (machine === undefined) return;
  const { cpus, memoryBytes } = findLimits(resources);
  if (cpus !== undefined && cpus > machine.cpus) {
    throw tooLarge(`${cpus} CPUs`, machine);
  }
  if (memoryBytes !== undefined && memoryBytes > machine.memoryBytes) {
    throw tooLarge(`${toMebibytes(Number(resources.memory?.limit))} of memory`, machine);
  }
}

function tooLarge(what: string, { cpus, memoryBytes }: MachineState): WardianError {
  const size = `${cpus} CPU${cpus === 1 ? '' : 's'} and ${toMebibytes(memoryBytes)}`;
  return new WardianError(
    'SPEC_UNSUPPORTED',
    `${what} is more than the container’s virtual machine can give: it has ${size}`,
    { hint: 'create the container with the largest limits that it is going to need' },
  );
}

function toMebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
