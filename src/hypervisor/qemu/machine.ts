import { access, constants, type FileHandle, stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Disk } from '../../machine/machine-config.ts';
import type { TapBackend } from '../../machine/network-config.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';
import { markWhen, type Trace } from '../../util/trace.ts';
import {
  CONSOLE_LOG,
  type VirtualMachine,
  type VirtualMachineExit,
  type VirtualMachineRecord,
} from '../driver.ts';
import { INHERITED_FD, ROOT_DISK_NODE, SCSI_BUS } from './arguments.ts';
import { boundLog } from './log-bound.ts';
import { describeEnd, findPanic, readLogTail, VMM_LOG } from './machine-log.ts';
import {
  AGENT_SOCKET,
  connectTo,
  LOG_LIMIT_BYTES,
  type QemuExit,
  type QemuProcess,
  QMP_SOCKET,
} from './process.ts';
import { QmpClient } from './qmp-client.ts';
import { loadState, saveState } from './state-transfer.ts';

/** The guest has to let go of a disk; one that is hung never does. */
const DETACH_TIMEOUT_MS = 10_000;

export interface QemuMachineParts {
  readonly record: VirtualMachineRecord;
  readonly process: QemuProcess;
  readonly monitor: QmpClient;
  /** Guest memory, of a machine that can become a template. */
  readonly memory: FileHandle | undefined;
  /** Set when the VMM runs as a user of its own, who must be able to read what is attached. */
  readonly isConfined: boolean;
}

/** Connects to a machine's monitor; commands may be sent before QEMU runs. */
export async function openMonitor(directory: string): Promise<QmpClient> {
  return new QmpClient(await connectTo(directory, QMP_SOCKET));
}

/** One running QEMU. */
export class QemuMachine implements VirtualMachine {
  readonly record: VirtualMachineRecord;
  readonly exited: Promise<VirtualMachineExit>;
  readonly #process: QemuProcess;
  readonly #monitor: QmpClient;
  readonly #memory: FileHandle | undefined;
  readonly #isConfined: boolean;
  readonly #channels = new Set<Socket>();
  readonly #unwatchLogs: readonly (() => void)[];
  #shutdownReason = '';
  #failure = '';
  #wasKilled = false;
  #wasPaused = false;
  /** How often the root disk was exchanged: each image is a node of its own. */
  #exchanges = 0;

  constructor(parts: QemuMachineParts) {
    this.record = parts.record;
    this.#process = parts.process;
    this.#monitor = parts.monitor;
    this.#memory = parts.memory;
    this.#isConfined = parts.isConfined;
    this.#monitor.listen((event) => {
      if (event.event === 'SHUTDOWN') this.#shutdownReason = event.reason;
    });
    this.exited = this.#process.exited.then((exit) => this.#describeExit(exit));
    this.#unwatchLogs = [CONSOLE_LOG, VMM_LOG].map((name) =>
      boundLog(join(parts.record.directory, name), LOG_LIMIT_BYTES),
    );
    void this.exited.then(() => this.#stopWatching());
  }

  /** Loads a clone's state and lets it run. The commands leave now; a failure ends the machine and is its reason. */
  restore(trace?: Trace): void {
    const loaded = loadState(this.#monitor);
    if (trace !== undefined) markWhen(loaded, trace, 'state loaded');
    loaded.catch((error: Error) => this.#giveUp(error));
  }

  /** Connects inherited taps to the hubs of the network devices with their numbers; fails as `restore` does. */
  connect(taps: ReadonlyMap<number, TapBackend>): void {
    for (const index of taps.keys()) {
      const [tap, port] = [`tap${index}`, `port${index}`];
      const fd = String(INHERITED_FD.tap + index);
      Promise.all([
        this.#monitor.execute('netdev_add', { type: 'tap', id: tap, fd }),
        this.#monitor.execute('netdev_add', {
          ...{ type: 'hubport', id: port, hubid: index, netdev: tap },
        }),
      ]).catch((error: Error) => this.#giveUp(error));
    }
  }

  async openAgentChannel(): Promise<Duplex> {
    const { directory } = this.record;
    const socket = await connectTo(directory, AGENT_SOCKET).catch(async (error: unknown) => {
      throw await this.#explainUnreachable(error);
    });
    this.#channels.add(socket);
    socket.once('close', () => this.#channels.delete(socket));
    return socket;
  }

  async attachDisk(disk: Disk): Promise<void> {
    // Both commands are on their way while the file is looked at: on the hot path it is there and readable.
    const node = diskName(disk.lun);
    const added = this.#monitor.execute('blockdev-add', describeBlockNode(disk));
    const plugged = this.#monitor.execute('device_add', {
      driver: 'scsi-hd',
      id: node,
      drive: node,
      bus: SCSI_BUS,
      channel: 0,
      'scsi-id': 0,
      lun: disk.lun,
    });
    const results = await Promise.allSettled([added, plugged]);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) return;
    if (results[0].status === 'fulfilled') {
      await this.#monitor.execute('blockdev-del', { 'node-name': node });
    }
    throw (await explainDisk(disk, this.#isConfined)) ?? failure.reason;
  }

  async detachDisk(lun: number): Promise<void> {
    const node = diskName(lun);
    const deleted = this.#monitor.waitFor(
      `that disk ${lun} is unplugged`,
      (event) => event.event === 'DEVICE_DELETED' && event.device === node,
      DETACH_TIMEOUT_MS,
    );
    deleted.catch(() => {}); // awaited below, after what may fail before it
    await this.#monitor.execute('device_del', { id: node });
    await deleted;
    await this.#monitor.execute('blockdev-del', { 'node-name': node });
  }

  async exchangeRootDisk(path: string): Promise<void> {
    const former = rootImageName(this.#exchanges);
    const image = rootImageName(++this.#exchanges);
    const node = { 'node-name': image, driver: 'file', filename: path };
    const root = { 'node-name': ROOT_DISK_NODE, driver: 'raw', 'read-only': true, file: image };
    const results = await Promise.allSettled([
      this.#monitor.execute('blockdev-add', { ...node, 'read-only': true, locking: 'off' }),
      this.#monitor.execute('blockdev-reopen', { options: [root] }),
    ]);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) {
      const disk = { lun: 0, path, readOnly: true };
      throw (await explainDisk(disk, this.#isConfined)) ?? failure.reason;
    }
    // The first was part of the disk that it was given with, and went with its replacement.
    if (this.#exchanges > 1) await this.#monitor.execute('blockdev-del', { 'node-name': former });
  }

  async pause(): Promise<void> {
    await this.#monitor.execute('stop');
    this.#wasPaused = true;
  }

  async resume(): Promise<void> {
    await this.#monitor.execute('cont');
    this.#wasPaused = false;
  }

  /**
   * Saves while the guest runs: QEMU stops it for the last part and records that it ran, so clones run
   * by themselves. (A state saved from a stopped guest needs a `cont` at the right moment.)
   */
  async snapshot(statePath: string): Promise<FileHandle> {
    const memory = this.#memory;
    if (memory === undefined || this.#wasPaused) {
      const why = memory === undefined ? 'was not started as a template' : 'is paused';
      throw new WardianError('INTERNAL', `machine ${this.record.id} ${why}`);
    }
    await saveState(this.#monitor, this.record.directory, statePath);
    this.#wasKilled = true;
    await this.#monitor.execute('quit').catch(() => {}); // it may be gone before it has answered
    await this.exited;
    return memory;
  }

  async kill(): Promise<void> {
    this.#wasKilled = true;
    this.#process.kill();
    await this.#process.exited; // What it died of is known: nobody need read its logs first.
  }

  release(): void {
    this.#process.release();
    this.#stopWatching();
    this.#monitor.close();
    for (const channel of this.#channels) channel.destroy();
  }

  #stopWatching(): void {
    for (const unwatch of this.#unwatchLogs) unwatch();
  }

  #giveUp(error: Error): void {
    // A monitor that is closed belongs to a QEMU that has ended: its end says why, and this only that.
    if (!this.#monitor.isClosed) this.#failure = error.message;
    this.#process.kill();
  }

  /** A socket whose process dies while we connect resets the connection; one that has died refuses it. */
  async #explainUnreachable(error: unknown): Promise<unknown> {
    if (!hasErrno((error as Error).cause, 'ECONNREFUSED', 'ECONNRESET', 'ENOENT')) return error;
    const { reason } = await this.exited;
    const code = this.#monitor.greeted ? 'SANDBOX_DIED' : 'HYPERVISOR_FAILED';
    return new WardianError(code, `the virtual machine has ended: ${reason}`, { cause: error });
  }

  async #describeExit({ exitCode, signal }: QemuExit): Promise<VirtualMachineExit> {
    this.#monitor.close();
    return { exitCode, signal, reason: await this.#findReason(exitCode, signal) };
  }

  async #findReason(exitCode: number | undefined, signal: string | undefined): Promise<string> {
    const { directory } = this.record;
    const panic = await findPanic(directory);
    if (panic !== undefined) return `the guest kernel panicked: ${panic}`;
    const complaint = await readLogTail(directory, VMM_LOG);
    if (this.#failure !== '') return [this.#failure, complaint].filter(Boolean).join('; ');
    if (this.#wasKilled) return 'it was ended by Wardian';
    // A microvm cannot be switched off: a guest that powers off resets it, and -no-reboot makes that the end.
    if (this.#shutdownReason.startsWith('guest-')) return 'the guest powered off';
    const how = describeEnd(exitCode, signal, this.#monitor.greeted);
    return complaint === '' ? how : `${how}: ${complaint}`;
  }
}

function diskName(lun: number): string {
  return `disk${lun}`;
}

function rootImageName(number: number): string {
  return `root-image-${number}`;
}

function describeBlockNode(disk: Disk): object {
  return {
    driver: 'raw',
    'node-name': diskName(disk.lun),
    'read-only': disk.readOnly,
    discard: 'ignore',
    file: {
      driver: 'file',
      filename: disk.path,
      'read-only': disk.readOnly,
      // Images are shared by many machines and never change; a writable disk has one owner.
      locking: disk.readOnly ? 'off' : 'on',
    },
  };
}

/** Says in our words why QEMU could not open a disk's file; undefined when that is not what failed. */
async function explainDisk(disk: Disk, isConfined: boolean): Promise<WardianError | undefined> {
  try {
    await access(disk.path, disk.readOnly ? constants.R_OK : constants.R_OK | constants.W_OK);
    const { mode } = await stat(disk.path);
    if (!isConfined || (mode & 0o004) !== 0) return undefined;
    return new WardianError('HOST_PERMISSION', `the disk ${disk.path} is not readable for all`, {
      hint: 'machines run as users of their own: chmod o+r that file',
    });
  } catch (cause) {
    if (hasErrno(cause, 'ENOENT', 'ENOTDIR')) {
      return new WardianError('PATH_NOT_FOUND', `the disk ${disk.path} is not there`, { cause });
    }
    return new WardianError('HOST_PERMISSION', `the disk ${disk.path} cannot be read`, { cause });
  }
}
