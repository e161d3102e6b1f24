import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { BootSource, Device, MachineConfig } from '../machine/machine-config.ts';
import type { SizeClass } from './size-class.ts';

/** Kinds in the order in which every sandbox's machine has them: part of a template's key. */
export const STANDARD_DEVICE_KINDS: readonly Device['kind'][] = [
  'agent-port',
  'scsi-controller',
  'network',
  'share',
  'random',
];

const SHARE_TAG = 'wardian';
const NETWORK_ID = 'net0';

/** The machine that every sandbox has. `shareDirectory` is what the guest may see of the host. */
export function describeSandboxMachine(
  size: SizeClass,
  boot: BootSource,
  shareDirectory: string,
): MachineConfig {
  const devices = STANDARD_DEVICE_KINDS.map((kind) => describeDevice(kind, shareDirectory));
  return { cpus: size.cpus, memoryBytes: size.memoryBytes, boot, devices };
}

function describeDevice(kind: Device['kind'], shareDirectory: string): Device {
  switch (kind) {
    case 'network':
      return { kind, id: NETWORK_ID, backend: { kind: 'none' } };
    case 'share':
      return { kind, tag: SHARE_TAG, path: shareDirectory };
    default:
      return { kind };
  }
}

/** Makes the folder that a machine shares with its guest; the VMM's own user must be able to read it. */
export async function makeShareDirectory(machineDirectory: string): Promise<string> {
  const shareDirectory = path.join(machineDirectory, 'share');
  await mkdir(shareDirectory, { mode: 0o755 });
  return shareDirectory;
}
