import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Accelerator } from '../hypervisor/driver.ts';
import type { GuestName } from './guest.ts';
import type { GuestPreference, VmmName } from './guest-pair.ts';

/** Which kernel and VMM the next sandbox gets, and why; sentences for people. */
export interface PairExplanation {
  readonly kernel: GuestName;
  /** Empty when that kernel is not there. */
  readonly kernelRelease: string;
  readonly kernelReason: string;
  readonly vmm: VmmName;
  readonly vmmVersion: string;
  readonly vmmReason: string;
}

/** What makes the mini-OS kernel. */
export const BUILD_KERNEL = 'wardian guest build kernel';

interface Circumstances {
  readonly cacheDirectory: string;
  readonly preference: GuestPreference;
}

/** Why a sandbox gets this kernel, or why it cannot have the one that was asked for. */
export async function explainKernel(
  accelerator: Accelerator,
  isMini: boolean,
  { cacheDirectory, preference }: Circumstances,
): Promise<string> {
  if (isMini) return `built for ${accelerator}`;
  if (preference === 'distro') return 'asked for';
  return `${await explainMissingKernel(accelerator, cacheDirectory)}: ${BUILD_KERNEL}`;
}

/** In what way there is no mini-OS kernel. */
export async function explainMissingKernel(
  accelerator: Accelerator,
  cacheDirectory: string,
): Promise<string> {
  const state = await explainAbsence(cacheDirectory, `kernel-${accelerator}`);
  return `the mini-OS kernel for ${accelerator} is ${state}`;
}

/** Why a sandbox gets this VMM. `failure`: what the small one said when it was tried. */
export async function explainVmm(
  vmm: VmmName,
  failure: string | undefined,
  { cacheDirectory, preference }: Circumstances,
): Promise<string> {
  if (vmm === 'small') return 'built';
  if (preference === 'distro') return 'asked for';
  if (failure !== undefined) return `the small QEMU does not run: ${failure}`;
  return `the small QEMU is ${await explainAbsence(cacheDirectory, 'qemu')}: wardian guest build qemu`;
}

/** A result that lies there and is not in the manifest was built by another recipe than the present one. */
async function explainAbsence(cacheDirectory: string, name: string): Promise<string> {
  const results = await readdir(path.join(cacheDirectory, 'guest', 'build')).catch(() => []); // nothing was ever built
  return results.some((result) => /^[0-9a-f]{16}$/.test(result.replace(`${name}-`, '')))
    ? 'out of date'
    : 'not built';
}
