import { statSync } from 'node:fs';
import type { VirtualMachine, VirtualMachineRecord } from '../hypervisor/driver.ts';
import type { LoadedDriver } from '../hypervisor/driver-options.ts';
import { loadDriver } from '../hypervisor/registry.ts';
import { toWardianError, WardianError } from '../util/errors.ts';
import { explainKernel, explainVmm, type PairExplanation } from './explain-pair.ts';
import { type Guest, type GuestName, type Guests, getManifestPath, loadGuests } from './guest.ts';
import {
  GUEST_PREFERENCES,
  type GuestPair,
  type GuestPreference,
  type PairSource,
  type VmmName,
} from './guest-pair.ts';
import { computeGeneration } from './template.ts';
import { TemplateStore } from './template-store.ts';

export interface GuestPairsOptions {
  readonly cacheDirectory: string;
  readonly runtimeDirectory: string;
  readonly launcherPath: string;
  /** See DriverOptions. */
  readonly diskDirectories: readonly string[];
  /** `WARDIAN_ACCEL`; see DriverOptions. */
  readonly accelerator?: string | undefined;
  readonly preference: GuestPreference;
  /** Readies a VMM; tests have others. */
  readonly load?: typeof loadDriver;
}

interface Vmm {
  readonly name: VmmName;
  readonly loaded: LoadedDriver;
}

/**
 * The pairs of kernel and VMM that sandboxes can have. A pair is readied when it is first asked for; what is
 * built while this lives is used from the next start on.
 */
export class GuestPairs implements PairSource {
  readonly #options: GuestPairsOptions;
  readonly #vmms = new Map<string, Promise<Vmm>>();
  readonly #stores = new Map<string, TemplateStore>();
  #chosen = new Map<GuestPreference, Promise<GuestPair>>();
  #guests: Guests;
  #stamp: string;
  #reloading: Promise<void> | undefined;
  #smallFailure: string | undefined;

  private constructor(options: GuestPairsOptions, guests: Guests, stamp: string) {
    this.#options = options;
    this.#guests = guests;
    this.#stamp = stamp;
  }

  /** Readies the VMM that is preferred, so that a host where none works is known of at once. */
  static async open(options: GuestPairsOptions): Promise<GuestPairs> {
    const stamp = readStamp(options.cacheDirectory);
    const pairs = new GuestPairs(options, await loadGuests(options.cacheDirectory), stamp);
    await pairs.#chooseVmm(options.preference);
    return pairs;
  }

  get busyboxPath(): string {
    return this.#guests.busyboxPath;
  }

  async choose(wanted?: GuestName): Promise<GuestPair> {
    await this.#noticeChange();
    return await this.#choosePair(wanted ?? this.#options.preference);
  }

  async adopt(record: VirtualMachineRecord): Promise<VirtualMachine> {
    // A machine that runs is spoken to in the same way whichever build it is of.
    const { loaded } = await this.#chooseVmm(this.#options.preference);
    return await loaded.driver.adopt(record);
  }

  /** What the next sandbox gets that asks for nothing, and the driver's findings. */
  async describe(): Promise<PairExplanation & { readonly loaded: LoadedDriver }> {
    await this.#noticeChange();
    const { preference } = this.#options;
    const { name: vmm, loaded } = await this.#chooseVmm(preference);
    const { accelerator } = loaded.driver;
    const guest = this.#findGuest(preference, loaded);
    const [kernelReason, vmmReason] = await Promise.all([
      explainKernel(accelerator, guest?.name, this.#options),
      explainVmm(vmm, this.#smallFailure, this.#options),
    ]);
    return {
      kernel: {
        name: guest?.name ?? 'mini',
        release: guest?.kernelRelease ?? '',
        ...kernelReason,
      },
      vmm: { name: vmm, version: loaded.version, ...vmmReason },
      loaded,
    };
  }

  /** Of the templates that some pair can use; those of others are of no use any more. */
  async listGenerations(): Promise<string[]> {
    const pairs = await Promise.all(
      GUEST_PREFERENCES.map(async (preference) => {
        const { loaded } = await this.#chooseVmm(preference);
        const guest = this.#findGuest(preference, loaded);
        return guest === undefined ? [] : [computeGeneration(loaded.driver, guest)];
      }),
    );
    return [...new Set(pairs.flat())];
  }

  /** Lets go of all templates. */
  async close(): Promise<void> {
    const stores = [...this.#stores.values()];
    this.#stores.clear();
    await Promise.all(stores.map((store) => store.close()));
  }

  #choosePair(preference: GuestPreference): Promise<GuestPair> {
    const chosen = this.#chosen;
    const known = chosen.get(preference);
    if (known !== undefined) return known;
    const choosing = this.#makePair(preference);
    chosen.set(preference, choosing);
    choosing.catch(() => chosen.delete(preference)); // it may be past when somebody asks again
    return choosing;
  }

  async #makePair(preference: GuestPreference): Promise<GuestPair> {
    const { name: vmm, loaded } = await this.#chooseVmm(preference);
    const { driver, version: vmmVersion } = loaded;
    const guest = this.#findGuest(preference, loaded);
    if (guest === undefined) throw await this.#notBuilt(loaded);
    return { guest, vmm, vmmVersion, driver, templates: this.#openStore(loaded, guest) };
  }

  #findGuest(preference: GuestPreference, { driver }: LoadedDriver): Guest | undefined {
    const mini = this.#guests.mini[driver.accelerator];
    if (preference === 'mini') return mini;
    return preference === 'auto' && mini !== undefined ? mini : this.#guests.distro;
  }

  async #notBuilt({ driver }: LoadedDriver): Promise<WardianError> {
    const { cacheDirectory } = this.#options;
    const circumstances = { cacheDirectory, preference: 'mini' } as const;
    const { reason, remedy } = await explainKernel(driver.accelerator, undefined, circumstances);
    return new WardianError('HOST_SETUP_MISSING', reason, {
      hint: `${remedy}; or do without: wardian run --guest distro`,
    });
  }

  #openStore({ driver }: LoadedDriver, guest: Guest): TemplateStore {
    const { cacheDirectory, runtimeDirectory, launcherPath } = this.#options;
    const key = computeGeneration(driver, guest);
    const known = this.#stores.get(key);
    if (known !== undefined) return known;
    const store = new TemplateStore({
      cacheDirectory,
      runtimeDirectory,
      driver,
      guest,
      launcherPath,
    });
    this.#stores.set(key, store);
    return store;
  }

  /** The small VMM where it is built and runs, unless the distribution's is asked for. */
  async #chooseVmm(preference: GuestPreference): Promise<Vmm> {
    const { qemu } = this.#guests;
    if (preference === 'distro' || qemu === undefined) return await this.#loadVmm('distro', {});
    try {
      const { path: vmmPath, firmwareDirectory } = qemu;
      return await this.#loadVmm('small', { vmm: { path: vmmPath, firmwareDirectory } });
    } catch (error) {
      // Not lost: `info` says it, and the distribution's may well run.
      this.#smallFailure = toWardianError(error).message;
      return await this.#loadVmm('distro', {});
    }
  }

  #loadVmm(name: VmmName, own: Pick<Parameters<typeof loadDriver>[1], 'vmm'>): Promise<Vmm> {
    const key = own.vmm?.path ?? '';
    const known = this.#vmms.get(key);
    if (known !== undefined) return known;
    const { launcherPath, cacheDirectory, diskDirectories, accelerator } = this.#options;
    const load = this.#options.load ?? loadDriver;
    const driverOptions = { launcherPath, cacheDirectory, diskDirectories, accelerator, ...own };
    const loading = load('qemu', driverOptions).then((loaded) => ({ name, loaded }));
    this.#vmms.set(key, loading);
    loading.catch(() => this.#vmms.delete(key)); // it may be past when somebody asks again
    return loading;
  }

  /** One look at the manifest's times a start is all that it costs to use a new build without a restart. */
  async #noticeChange(): Promise<void> {
    const stamp = readStamp(this.#options.cacheDirectory);
    if (stamp !== this.#stamp) {
      this.#reloading ??= this.#reload(stamp).finally(() => {
        this.#reloading = undefined;
      });
    }
    await this.#reloading;
  }

  async #reload(stamp: string): Promise<void> {
    const found = await loadGuests(this.#options.cacheDirectory).catch(() => undefined); // what is loaded still serves
    this.#stamp = stamp;
    // Another agent is for the sandboxer of its own build: this one might not understand it.
    if (found?.distro.fingerprint !== this.#guests.distro.fingerprint) return;
    this.#guests = found;
    this.#smallFailure = undefined;
    this.#chosen = new Map();
  }
}

/** Changes whenever the manifest is replaced. */
function readStamp(cacheDirectory: string): string {
  const status = statSync(getManifestPath(cacheDirectory), { throwIfNoEntry: false });
  return status === undefined ? '' : `${status.ino} ${status.mtimeMs}`;
}
