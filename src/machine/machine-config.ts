import type { TapBackend } from './network-config.ts';

/** A virtual machine described as data. A hypervisor driver turns it into whatever its VMM wants. */
export interface MachineConfig {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly boot: BootSource;
  /** In the order in which the guest meets them; a clone has the same list as its template. */
  readonly devices: readonly Device[];
}

/** The mini-OS: kernel and initramfs, with what the kernel needs to know. */
export interface BootSource {
  readonly kernelPath: string;
  readonly initramfsPath: string;
  /** Discovery of devices: a distribution's kernel needs ACPI, the mini-OS kernel does without. */
  readonly acpi: boolean;
  /** Kernel parameters beyond those that the driver adds for its machine and accelerator. */
  readonly parameters: readonly string[];
}

export type Device =
  | AgentPortDevice
  | RootDiskDevice
  | ScsiControllerDevice
  | NetworkDevice
  | ShareDevice
  | RandomDevice;

/** The serial port on which the agent listens; every machine has exactly one. */
export interface AgentPortDevice {
  readonly kind: 'agent-port';
}

/**
 * The disk with the image, read-only: the first virtio block device. It is there before the guest boots because
 * finding a disk is work for the guest, and a template has done that work for all its clones. Its size is
 * fixed for the same reason, and larger than any image; reading beyond the image is an error.
 */
export interface RootDiskDevice {
  readonly kind: 'root-disk';
  /** Undefined: nothing but zeros, for a template. */
  readonly path: string | undefined;
  /** Another image may take the place of this one while the machine runs. Default: false. */
  readonly exchangeable?: boolean;
}

/** The controller to which further disks are attached while the machine runs. */
export interface ScsiControllerDevice {
  readonly kind: 'scsi-controller';
}

export interface NetworkDevice {
  readonly kind: 'network';
  readonly id: string;
  readonly backend: { readonly kind: 'none' } | TapBackend;
}

/** A folder of the host, seen by the guest through 9p under a tag. */
export interface ShareDevice {
  readonly kind: 'share';
  readonly tag: string;
  /** May lead into another mount namespace (/proc/PID/root/...): the folder is opened once, and seen from there. */
  readonly path: string;
  /** The guest owns what is in it: files get the guest's user ids, device nodes and modes. Default: false. */
  readonly writable?: boolean;
}

/** A source of entropy for the guest. */
export interface RandomDevice {
  readonly kind: 'random';
}

/** A disk that is attached to a running machine; the guest finds it as SCSI disk 0:0:0:lun. */
export interface Disk {
  readonly lun: number;
  readonly path: string;
  readonly readOnly: boolean;
}
