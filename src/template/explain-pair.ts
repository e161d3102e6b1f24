import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Accelerator } from '../hypervisor/driver.ts';
import type { GuestName } from './guest.ts';
import type { GuestPreference, VmmName } from './guest-pair.ts';

/** Why something is used; the remedy, where there is a better one, is a command. */
export interface Explanation {
  readonly reason: string;
  readonly remedy?: string;
}

/** Which kernel and VMM the next sandbox gets, and why; sentences for people. */
export interface PairExplanation {
  /** The release is empty when that kernel is asked for and not there. */
  readonly kernel: Explanation & { readonly name: GuestName; readonly release: string };
  readonly vmm: Explanation & { readonly name: VmmName; readonly version: string };
}

interface Circumstances {
  readonly cacheDirectory: string;
  readonly preference: GuestPreference;
}

/** Why a sandbox gets this kernel; `name` undefined: why it cannot have the one that was asked for. */
export async function explainKernel(
  accelerator: Accelerator,
  name: GuestName | undefined,
  { cacheDirectory, preference }: Circumstances,
): Promise<Explanation> {
  if (name === 'mini') return { reason: `built for ${accelerator}` };
  if (preference === 'distro') return { reason: 'asked for' };
  const state = await describeAbsence(cacheDirectory, `kernel-${accelerator}`);
  return {
    reason: `the mini-OS kernel for ${accelerator} is ${state}`,
    remedy: 'wardian guest build kernel',
  };
}

/** Why a sandbox gets this VMM. `failure`: what the small one said when it was tried. */
export async function explainVmm(
  name: VmmName,
  failure: string | undefined,
  { cacheDirectory, preference }: Circumstances,
): Promise<Explanation> {
  if (name === 'small') return { reason: 'built' };
  if (preference === 'distro') return { reason: 'asked for' };
  const remedy = 'wardian guest build qemu';
  if (failure !== undefined) return { reason: `the small QEMU does not run: ${failure}`, remedy };
  const state = await describeAbsence(cacheDirectory, 'qemu');
  return { reason: `the small QEMU is ${state}`, remedy };
}

/** A result that lies there and is not in the manifest was built by another recipe than the present one. */
async function describeAbsence(cacheDirectory: string, name: string): Promise<string> {
  const results = await readdir(path.join(cacheDirectory, 'guest', 'build')).catch(() => []); // nothing was ever built
  const isBuilt = results.some((result) => /^-[0-9a-f]{16}$/.test(result.replace(name, '')));
  return isBuilt ? 'out of date' : 'not built';
}
