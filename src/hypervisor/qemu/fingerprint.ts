import { createHash } from 'node:crypto';
import type { Device, MachineConfig } from '../../machine/machine-config.ts';
import { buildQemuArguments, type QemuPlan } from './arguments.ts';

/** Raise it when what is saved, or how, changes without a change of the command line. */
const STATE_VERSION = 3;

/** Everything of a host and a QEMU that a saved machine depends on. */
export interface FingerprintSource extends Pick<QemuPlan, 'accelerator' | 'tscKhz'> {
  /** Of the build. */
  readonly qemuFingerprint: string;
  /** The host's CPU where guests see it; undefined where they are emulated. */
  readonly hostCpu: string | undefined;
}

const DEVICES: readonly Device[] = [
  { kind: 'agent-port' },
  { kind: 'root-disk', path: undefined },
  { kind: 'scsi-controller' },
  { kind: 'network', id: '', backend: { kind: 'none' } },
  { kind: 'share', tag: '', path: '' },
  { kind: 'random' },
];

/** Changes whenever a machine saved with another QEMU, on another host or with another command line may not wake up. */
export function computeFingerprint(source: FingerprintSource): string {
  const { qemuFingerprint, hostCpu, accelerator, tscKhz } = source;
  const commandLines = [true, false].map((acpi) => {
    const plan = { accelerator, tscKhz, config: describeSample(acpi), qemuPath: '', directory: '' };
    return buildQemuArguments({ ...plan, start: { kind: 'boot-snapshotable' } });
  });
  const ingredients = [STATE_VERSION, qemuFingerprint, hostCpu ?? '', commandLines];
  return createHash('sha256').update(JSON.stringify(ingredients)).digest('hex');
}

/** A machine with one device of each kind: its command line has every argument of a real one. */
function describeSample(acpi: boolean): MachineConfig {
  const boot = { kernelPath: '', initramfsPath: '', acpi, parameters: [] };
  return { cpus: 1, memoryBytes: 0, boot, devices: DEVICES };
}
