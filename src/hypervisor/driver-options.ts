import type { Accelerator, HypervisorDriver } from './driver.ts';

/** What a driver needs to know of its surroundings. */
export interface DriverOptions {
  readonly launcherPath: string;
  readonly cacheDirectory: string;
  /** Folders from which disks will be attached; nothing else is visible to a VMM that is confined. */
  readonly diskDirectories: readonly string[];
  /** `WARDIAN_ACCEL`: insists on one accelerator. Absent or empty: the fastest that works. */
  readonly accelerator?: string | undefined;
  /** A VMM that is not where distributions put it, with the folder of its firmware. */
  readonly vmm?: { readonly path: string; readonly firmwareDirectory: string };
  /** False leaves a VMM with the user, the namespaces and the files of its parent. Default: true where it is possible. */
  readonly confine?: boolean;
}

/** An accelerator, and why it is this one: a sentence for people. */
export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  readonly reason: string;
}

/** A driver that is ready, with what people want to know about it. */
export interface LoadedDriver {
  readonly driver: HypervisorDriver;
  readonly choice: AcceleratorChoice;
  /** Why VMMs keep the namespaces and the files of their parent; absent: they do not. */
  readonly unconfined?: string;
  /** The VMM's own words about its version. */
  readonly version: string;
}
