import type {
  Device,
  MachineConfig,
  RootDiskDevice,
  ShareDevice,
} from '../../machine/machine-config.ts';
import type { Accelerator } from '../driver.ts';

/** Where the launcher puts what QEMU inherits. */
export const INHERITED_FD = {
  ...{ console: 4, memory: 5, state: 6 },
  share: 7,
  // Of a stem: the open files by which it knows what its forks replace. QEMU gives the console another number.
  ...{ image: 8, stemConsole: 9 },
  ...{ qmp: 10, agent: 11, stem: 12 },
  /** And those that follow. A stem has none, so its forks need numbers that QEMU itself does not come to. */
  tap: 200,
} as const;

/** Names that requests over QMP refer to. */
export const SCSI_BUS = 'scsi.0';
export const ROOT_DISK_NODE = 'root-disk';

/** Size of a root disk without an image: what a file system of 2^32 blocks of 4 KiB, EROFS's limit, would need. */
const EMPTY_DISK_BYTES = 2 ** 44;

/**
 * Translated guest code is kept up to this size; memory is taken only as it fills. When it is full all is thrown away
 * and made again: with a distribution's kernel the first container in a clone alone fills 16 MB (docs/performance.md).
 */
const TRANSLATION_CACHE_MEBIBYTES = 64;

/** How the machine comes to life. */
export type Start =
  | { readonly kind: 'boot' }
  /** Guest memory lives in the inherited memfd, shared, so that it can become a template. */
  | { readonly kind: 'boot-snapshotable' }
  /** Guest memory is mapped privately from the inherited, sealed memfd; state comes by QMP. */
  | { readonly kind: 'clone' }
  /** A clone from which others are forked. */
  | { readonly kind: 'stem' };

export interface QemuPlan {
  /** The machine's folder: its name, by which its processes are found. */
  readonly directory: string;
  readonly qemuPath: string;
  /** Where a QEMU of our own finds its firmware; absent: where it was installed. */
  readonly firmwareDirectory?: string | undefined;
  readonly accelerator: Accelerator;
  readonly config: MachineConfig;
  readonly start: Start;
  /** Frequency of the host's time stamp counter, which is the guest's under TCG. */
  readonly tscKhz: number;
}

/** QEMU's command line; pure, so that a test can read it. */
export function buildQemuArguments(plan: QemuPlan): string[] {
  return [
    plan.qemuPath,
    ...(plan.firmwareDirectory === undefined ? [] : ['-L', plan.firmwareDirectory]),
    ...['-name', escapeValue(`${plan.directory}/`)],
    ...buildMachine(plan),
    ...buildChannels(),
    ...buildDevices(plan),
    ...(isClone(plan.start) ? ['-incoming', 'defer'] : buildBoot(plan)),
    ...(plan.start.kind === 'stem' ? ['-stem', String(INHERITED_FD.stem)] : []),
    // The process may neither start others nor gain or change privileges; it never needs to.
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  ];
}

function isClone({ kind }: Start): boolean {
  return kind === 'clone' || kind === 'stem';
}

/** The CPU that a guest sees. Under TCG the string instructions of newer CPUs are slower than plain loops. */
export function getCpuModel(accelerator: Accelerator): string {
  return accelerator === 'kvm' ? 'host' : 'max,-erms,-fsrm';
}

function buildMachine({ accelerator, config, start }: QemuPlan): string[] {
  const machine = [
    'microvm',
    'rtc=on', // without it the kernel waits a second for the clock
    'pit=on',
    'pcie=off',
    'usb=off',
    'graphics=off',
    'x-option-roms=off',
    `acpi=${config.boot.acpi ? 'on' : 'off'}`,
    `auto-kernel-cmdline=${config.boot.acpi ? 'off' : 'on'}`,
    ...(start.kind === 'boot' ? [] : ['memory-backend=mem']),
  ];
  const memory = `${config.memoryBytes / (1024 * 1024)}M`;
  return [
    ...['-M', machine.join(',')],
    '-accel',
    accelerator === 'kvm' ? 'kvm' : `tcg,tb-size=${TRANSLATION_CACHE_MEBIBYTES}`,
    ...['-cpu', getCpuModel(accelerator)],
    ...['-m', memory, '-smp', String(config.cpus)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-global', 'virtio-mmio.force-legacy=false'],
    ...(start.kind === 'boot' ? [] : ['-object', buildMemory(memory, start)]),
  ];
}

function buildMemory(size: string, start: Start): string {
  const share = isClone(start) ? 'off' : 'on';
  return `memory-backend-file,id=mem,size=${size},mem-path=/proc/self/fd/${INHERITED_FD.memory},share=${share}`;
}

function buildChannels(): string[] {
  return [
    ...['-chardev', `socket,id=qmp,fd=${INHERITED_FD.qmp},server=on,wait=off`],
    ...['-mon', 'chardev=qmp,mode=control'],
    ...['-add-fd', `fd=${INHERITED_FD.console},set=1`],
    ...['-chardev', 'file,id=console,path=/dev/fdset/1,append=on', '-serial', 'chardev:console'],
  ];
}

function buildDevices({ config: { devices }, start }: QemuPlan): string[] {
  const networks = devices.filter((device) => device.kind === 'network');
  return devices.flatMap((device) => {
    if (device.kind === 'share') return buildShare(device, start);
    if (device.kind === 'network') return buildNetwork(device.id, networks.indexOf(device));
    return buildDevice(device);
  });
}

function buildDevice(device: Exclude<Device, { kind: 'share' | 'network' }>): string[] {
  switch (device.kind) {
    case 'agent-port':
      return [
        ...['-chardev', `socket,id=agent,fd=${INHERITED_FD.agent},server=on,wait=off`],
        ...['-device', 'virtio-serial-device,max_ports=2'],
        ...['-device', 'virtserialport,chardev=agent,name=wardian.agent'],
      ];
    case 'root-disk':
      return [
        ...['-blockdev', describeRootDisk(device)],
        ...['-device', `virtio-blk-device,drive=${ROOT_DISK_NODE},num-queues=1`],
      ];
    case 'scsi-controller':
      return ['-device', 'virtio-scsi-device,id=scsi,num_queues=1'];
    case 'random':
      return ['-object', 'rng-builtin,id=random', '-device', 'virtio-rng-device,rng=random'];
  }
}

/** Each device has a hub of its own, to which a tap can be connected while the machine runs. */
function buildNetwork(id: string, hub: number): string[] {
  return [
    // Its announcement after a migration is no use to a clone, and costs the guest more than the agent's answer.
    ...['-netdev', `hubport,id=${id},hubid=${hub}`],
    ...['-device', `virtio-net-device,netdev=${id},guest_announce=off`],
  ];
}

/** The folder is open already: the launcher sees it where it is. */
function buildShare({ tag, writable = false }: ShareDevice, start: Start): string[] {
  // What forks of a stem may write to, their trees of mounts decide.
  const readOnly = writable || start.kind === 'stem' ? 'off' : 'on';
  const folder = `path=/proc/self/fd/${INHERITED_FD.share},readonly=${readOnly}`;
  return [
    ...['-fsdev', `local,id=${tag},${folder},security_model=passthrough,multidevs=remap`],
    ...['-device', `virtio-9p-device,fsdev=${tag},mount_tag=${tag}`],
  ];
}

/** Read-only in both cases: the guest has learnt that in the template. Images are shared and never change: no lock. */
function describeRootDisk({ path, exchangeable }: RootDiskDevice): string {
  const node = `node-name=${ROOT_DISK_NODE},read-only=on`;
  if (path === undefined) {
    return `driver=null-co,${node},size=${EMPTY_DISK_BYTES},read-zeroes=on`;
  }
  const filename = escapeValue(path);
  if (!exchangeable) return `driver=file,${node},locking=off,filename=${filename}`;
  // What the device holds on to is a node that passes everything on: the one below can be replaced.
  return `driver=raw,${node},file.driver=file,file.read-only=on,file.locking=off,file.filename=${filename}`;
}

/** In QEMU's option lists a comma ends a value unless it is doubled. */
export function escapeValue(value: string): string {
  return value.replaceAll(',', ',,');
}

function buildBoot(plan: QemuPlan): string[] {
  const { boot } = plan.config;
  return [
    ...['-kernel', boot.kernelPath, '-initrd', boot.initramfsPath],
    ...['-append', buildKernelParameters(plan).join(' ')],
  ];
}

function buildKernelParameters({ accelerator, config, tscKhz }: QemuPlan): string[] {
  const common = ['console=ttyS0', 'quiet', 'panic=-1', 'reboot=t'];
  return [
    ...common,
    ...(accelerator === 'tcg' ? tcgParameters(tscKhz) : []),
    ...config.boot.parameters,
  ];
}

function tcgParameters(tscKhz: number): string[] {
  return [
    'no_timer_check', // the emulated timer works: 50 ms less
    'noreplace-smp', // lock prefixes cost nothing here: 85 ms less of patching
    'tsc=reliable', // the guest's counter is the host's: no comparison against slower clocks
    `tsc_early_khz=${tscKhz}`,
    'mitigations=off', // an emulated CPU does not speculate, and detours around indirect calls are dear
    'norandmaps', // translated code is found by address: a program at another place each time starts cold
  ];
}
