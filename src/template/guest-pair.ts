import type {
  HypervisorDriver,
  VirtualMachine,
  VirtualMachineRecord,
} from '../hypervisor/driver.ts';
import type { Guest, GuestName } from './guest.ts';
import type { TemplateStore } from './template-store.ts';

/** Whose QEMU a sandbox runs in: the distribution's, or the one that `wardian guest build` made. */
export type VmmName = 'distro' | 'small';

/** What decides which kernel and which VMM a sandbox gets; `auto`: what was built, as soon as it is there. */
export type GuestPreference = GuestName | 'auto';

export const GUEST_PREFERENCES: readonly GuestPreference[] = ['auto', 'distro', 'mini'];

/** A kernel and a VMM that are used together, with the templates that were made with both. */
export interface GuestPair {
  readonly guest: Guest;
  readonly vmm: VmmName;
  /** The VMM's own words about its version. */
  readonly vmmVersion: string;
  readonly driver: HypervisorDriver;
  readonly templates: TemplateStore;
}

/** Where sandboxes get their pair from. */
export interface PairSource {
  /** A static busybox, for the built-in image. */
  readonly busyboxPath: string;
  /** The pair for the next sandbox; absent: the one that is preferred here. HOST_SETUP_MISSING when it is not built. */
  choose(wanted?: GuestName): Promise<GuestPair>;
  /** Takes over a machine of an earlier sandboxer, whatever pair it was started with. */
  adopt(record: VirtualMachineRecord): Promise<VirtualMachine>;
}
