import type { FileHandle } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import type { Disk, MachineConfig } from '../machine/machine-config.ts';
import type { Trace } from '../util/trace.ts';

/** What the guest's kernel and agent print: every driver writes it to this file in the machine's folder, bounded. */
export const CONSOLE_LOG = 'guest.log';

/** How a VMM runs guest code. */
export type Accelerator = 'kvm' | 'tcg';

/** What a driver can do, as data: a caller asks here before it plans, and no method exists only to throw. */
export interface HypervisorCapabilities {
  readonly cloning: boolean;
  /** A clone can be a stem, of which others are forked: `CloneRequest.isStem` and `fork`. */
  readonly forking: boolean;
  readonly diskHotplug: boolean;
  /** A root disk that says so in the configuration can be exchanged while the machine runs. */
  readonly rootDiskExchange: boolean;
  readonly pause: boolean;
}

/** One kind of VMM. Methods translate; rules about order and lifetime are the caller's. */
export interface HypervisorDriver {
  readonly name: string;
  readonly accelerator: Accelerator;
  readonly capabilities: HypervisorCapabilities;
  /** What of this driver a template depends on (VMM build, accelerator, CPU model, TSC): part of its key. */
  readonly fingerprint: string;

  /** Starts a machine from its kernel. Resolves when the VMM has its sockets, before the guest has booted. */
  boot(request: BootRequest): Promise<VirtualMachine>;
  /** Starts a machine from a template. Resolves as early as `boot` does: what is written to the agent channel waits there. */
  clone(request: CloneRequest): Promise<VirtualMachine>;
  /** Makes a machine of a stem that is paused: the same at that moment, with another host side. It runs when this resolves. */
  fork(request: ForkRequest): Promise<VirtualMachine>;
  /** Takes over a machine that another process of ours started; fails with SANDBOX_DIED when it is gone. */
  adopt(record: VirtualMachineRecord): Promise<VirtualMachine>;
}

export interface BootRequest {
  readonly id: string;
  readonly config: MachineConfig;
  /** A folder of this machine's own: sockets, console and VMM logs. It exists and is empty. */
  readonly directory: string;
  /** Set when the machine is to become a template: its memory then lives in a file that can be kept. */
  readonly snapshotable: boolean;
  /** Folders of the host's cgroups which the VMM joins before it takes memory. Default: none. */
  readonly cgroupDirectories?: readonly string[];
  readonly signal?: AbortSignal;
  /** Told of what the VMM reaches. */
  readonly trace?: Trace | undefined;
}

export interface CloneRequest {
  readonly id: string;
  readonly directory: string;
  readonly snapshot: MachineSnapshot;
  /** Replaces the template's devices' host side (shares, network); same kinds in the same order. */
  readonly config: MachineConfig;
  /** Others are to be forked of it. It must not be given anybody's code to run: it stays among us. Default: false. */
  readonly isStem?: boolean;
  /** As for a boot. */
  readonly cgroupDirectories?: readonly string[];
  readonly signal?: AbortSignal;
  readonly trace?: Trace | undefined;
}

export interface ForkRequest {
  readonly id: string;
  readonly directory: string;
  readonly stem: VirtualMachineRecord;
  /** As for a clone. */
  readonly config: MachineConfig;
  readonly cgroupDirectories?: readonly string[];
  readonly signal?: AbortSignal;
  readonly trace?: Trace | undefined;
}

/** A machine at rest: guest memory sealed against writing, and the state of the devices. */
export interface MachineSnapshot {
  readonly config: MachineConfig;
  /** A sealed memfd with the guest's memory. The owner of the snapshot closes it. */
  readonly memory: FileHandle;
  /** File with the device state. */
  readonly statePath: string;
}

/** Everything that another process needs to adopt the machine; plain JSON. */
export interface VirtualMachineRecord {
  readonly driver: string;
  readonly id: string;
  readonly pid: number;
  /** Start time of that pid in clock ticks since boot (/proc/PID/stat field 22): pids are reused. */
  readonly pidStartTicks: string;
  readonly directory: string;
}

export interface VirtualMachineExit {
  /** The VMM's exit code; undefined when another process was its parent. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** One sentence for people: killed by us, guest kernel panic, VMM crashed, with the end of its log. */
  readonly reason: string;
}

export interface VirtualMachine {
  readonly record: VirtualMachineRecord;
  /** Settles as soon as the VMM is gone, whoever ended it. Never rejects. */
  readonly exited: Promise<VirtualMachineExit>;
  /** Connects to the agent's port. Only one connection at a time. */
  openAgentChannel(): Promise<Duplex>;
  attachDisk(disk: Disk): Promise<void>;
  detachDisk(lun: number): Promise<void>;
  /** Puts another image in the place of an exchangeable root disk's, which the guest must not use at that moment. */
  exchangeRootDisk(path: string): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Writes the device state to `statePath`, ends the VMM, and returns the memory, not yet sealed. */
  snapshot(statePath: string): Promise<FileHandle>;
  /** Ends the VMM at once and waits until it is gone. Idempotent. */
  kill(): Promise<void>;
  /** Lets go of a running machine without ending it. */
  release(): void;
}
