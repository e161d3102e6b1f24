import type { FileHandle } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import type { Disk } from '../machine/machine-config.ts';
import { WardianError } from '../util/errors.ts';
import type { HypervisorDriver, VirtualMachine } from './driver.ts';

/** Ids become names of files and processes. */
const MACHINE_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
/** virtio-scsi addresses more, but nobody has that many image layers. */
const MAX_LUN = 255;

/** Puts the rules that hold for every VMM around a driver, so that a driver only has to translate. */
export function manageDriver(driver: HypervisorDriver): HypervisorDriver {
  return {
    name: driver.name,
    accelerator: driver.accelerator,
    capabilities: driver.capabilities,
    fingerprint: driver.fingerprint,
    boot: async (request) => {
      checkStart(request.id, request.signal);
      return await guard(await driver.boot(request), request.signal);
    },
    clone: async (request) => {
      checkStart(request.id, request.signal);
      return await guard(await driver.clone(request), request.signal);
    },
    fork: async (request) => {
      checkStart(request.id, request.signal);
      return await guard(await driver.fork(request), request.signal);
    },
    adopt: async (record) => {
      checkStart(record.id, undefined);
      if (record.driver !== driver.name) {
        throw new WardianError(
          'STATE_CORRUPT',
          `machine ${record.id} is of driver ${JSON.stringify(record.driver)}`,
        );
      }
      return new ManagedMachine(await driver.adopt(record));
    },
  };
}

function checkStart(id: string, signal: AbortSignal | undefined): void {
  if (!MACHINE_ID.test(id)) {
    throw new WardianError('NAME_INVALID', `${JSON.stringify(id)} cannot be the id of a machine`);
  }
  if (signal?.aborted) throw cancelled(id);
}

/** A start that was cancelled while it happened leaves nothing behind. */
async function guard(
  machine: VirtualMachine,
  signal: AbortSignal | undefined,
): Promise<VirtualMachine> {
  if (!signal?.aborted) return new ManagedMachine(machine);
  await machine.kill();
  throw cancelled(machine.record.id);
}

function cancelled(id: string): WardianError {
  return new WardianError('CANCELLED', `the start of machine ${id} was cancelled`);
}

/** A machine that is ended once, is asked for nothing afterwards, and has each disk once. */
class ManagedMachine implements VirtualMachine {
  readonly #machine: VirtualMachine;
  readonly #luns = new Set<number>();
  #ending: Promise<unknown> | undefined;
  #hasExited = false;
  #isReleased = false;

  constructor(machine: VirtualMachine) {
    this.#machine = machine;
    void machine.exited.then(() => {
      this.#hasExited = true;
    });
  }

  get record() {
    return this.#machine.record;
  }

  get exited() {
    return this.#machine.exited;
  }

  async openAgentChannel(): Promise<Duplex> {
    await this.#checkUsable('connected to');
    return await this.#machine.openAgentChannel();
  }

  async attachDisk(disk: Disk): Promise<void> {
    await this.#checkUsable('given a disk');
    checkLun(disk.lun);
    if (this.#luns.has(disk.lun)) {
      throw new WardianError(
        'INTERNAL',
        `machine ${this.record.id} has a disk ${disk.lun} already`,
      );
    }
    this.#luns.add(disk.lun);
    try {
      await this.#machine.attachDisk(disk);
    } catch (error) {
      this.#luns.delete(disk.lun);
      throw error;
    }
  }

  async detachDisk(lun: number): Promise<void> {
    await this.#checkUsable('relieved of a disk');
    checkLun(lun);
    await this.#machine.detachDisk(lun);
    this.#luns.delete(lun);
  }

  async exchangeRootDisk(path: string): Promise<void> {
    await this.#checkUsable('given a root disk');
    await this.#machine.exchangeRootDisk(path);
  }

  async pause(): Promise<void> {
    await this.#checkUsable('paused');
    await this.#machine.pause();
  }

  async resume(): Promise<void> {
    await this.#checkUsable('resumed');
    await this.#machine.resume();
  }

  async snapshot(statePath: string): Promise<FileHandle> {
    await this.#checkUsable('saved');
    const saving = this.#machine.snapshot(statePath);
    this.#ending = saving.catch(() => undefined);
    try {
      return await saving;
    } catch (error) {
      this.#ending = undefined; // it still runs, and can be ended
      throw error;
    }
  }

  async kill(): Promise<void> {
    // Whatever else ends it, a kill must: it is what callers fall back on.
    this.#ending ??= this.#machine.kill();
    await Promise.race([this.#ending, this.#machine.exited]);
    if (!this.#hasExited) await this.#machine.kill();
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#machine.release();
  }

  async #checkUsable(verb: string): Promise<void> {
    const { id } = this.record;
    if (this.#isReleased)
      throw new WardianError('INTERNAL', `machine ${id} was let go and cannot be ${verb}`);
    if (!this.#hasExited && this.#ending === undefined) return;
    const { reason } = await this.exited;
    throw new WardianError('SANDBOX_DIED', `the virtual machine has ended: ${reason}`);
  }
}

function checkLun(lun: number): void {
  if (Number.isInteger(lun) && lun >= 0 && lun <= MAX_LUN) return;
  throw new WardianError('INTERNAL', `a disk cannot have the number ${lun}`);
}
