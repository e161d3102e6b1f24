import { readFile } from 'node:fs/promises';
import { release } from 'node:os';

/** What a guest sees of the host's CPU under `-cpu host`, and what KVM adds to it depends on the kernel. */
const SEEN_BY_GUESTS = [
  'vendor_id',
  'cpu family',
  'model',
  'stepping',
  'microcode',
  'flags',
  'bugs',
  'address sizes',
];

/** Names the host's CPU as a guest with hardware virtualisation knows it: a saved one may not wake up on another. */
export async function loadHostCpu(cpuInfoPath = '/proc/cpuinfo'): Promise<string> {
  return `${describeCpu(await readFile(cpuInfoPath, 'latin1'))}\nkernel: ${release()}`;
}

/** The first processor's lines that matter; speed and number of a processor differ from moment to moment. */
export function describeCpu(cpuInfo: string): string {
  const [first = ''] = cpuInfo.split('\n\n');
  return first
    .split('\n')
    .filter((line) => SEEN_BY_GUESTS.includes(line.split(':')[0]?.trim() ?? ''))
    .join('\n');
}
