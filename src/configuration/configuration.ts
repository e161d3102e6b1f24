import type { NetworkModel } from '../machine/network-config.ts';

/** Which kernel and VMM sandboxes get when nobody chooses: Debian's, ours, or ours as soon as they are built. */
export type GuestChoice = 'auto' | 'distro' | 'mini';

/** What an administrator and a user may decide for all of the user's sandboxes (docs/configuration.md). */
export interface Configuration {
  readonly pool: {
    /** Machines of each size that wait, warm, for the next container. */
    readonly size: number;
    /** Of all of them together. */
    readonly memoryBytes: number;
    /** Between a start and the making of what it took. */
    readonly refillDelayMs: number;
  };
  readonly guest: GuestChoice;
  readonly network: {
    /** How an engine's network comes to its machine. */
    readonly model: NetworkModel;
  };
  /** How long the sandboxer stays when it has nothing to do. */
  readonly idleTimeoutMs: number;
}

/** One setting as it is in force, and who decided it: for people. */
export interface EffectiveSetting {
  readonly key: string;
  readonly value: string;
  readonly source: string;
}

export interface LoadedConfiguration {
  readonly values: Configuration;
  readonly settings: readonly EffectiveSetting[];
}
