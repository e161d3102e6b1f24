import type { ProcessIdentity } from '../../host/process-identity.ts';
import type { WiredNetwork } from '../../network/take-over-network.ts';
import type { Hook } from '../../oci/runtime-spec/types.ts';

/** The form of the state file; another one is not read. */
export const STATE_VERSION = 1;

/** The specification that state, hooks and config.json are of. */
export const SPECIFICATION_VERSION = '1.2.0';

/** What the runtime knows of a container between two commands: the file state.json in its folder. */
export interface ContainerState {
  readonly version: typeof STATE_VERSION;
  readonly id: string;
  /** Its id at the sandboxer: 64 hex digits. */
  readonly key: string;
  /** How far it came: `creating` until the pid file is written, `created` until `start` has run its process. */
  readonly phase: 'creating' | 'created' | 'started';
  /** Who makes it; when that process has died while it was `creating`, the container is a leftover. */
  readonly creator: ProcessIdentity;
  /** What engines see as the container; absent until it runs. */
  readonly stub?: ProcessIdentity;
  readonly isPaused: boolean;
  /** Absolute paths. */
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  /** Name of the user whose it is. */
  readonly owner: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** On the host; empty lists when it has none. */
  readonly cgroups: HostCgroups;
  /** Id of the container whose sandbox it shares; absent: it has one of its own. */
  readonly sandbox?: string;
  /** What was wired for it, to be taken down again. */
  readonly network?: WiredNetwork;
  /** Those that run after this command; the others have run. */
  readonly hooks: { readonly poststart: readonly Hook[]; readonly poststop: readonly Hook[] };
}

/** The cgroups of a container on the host. */
export interface HostCgroups {
  /** Every one that it is in, one in each hierarchy: absolute paths. */
  readonly directories: readonly string[];
  /** Folders that were made for it, parents first: `delete` removes them. */
  readonly made: readonly string[];
}

/** `creating` may be a leftover: see `ContainerState.creator`. */
export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** The state of the runtime specification, which hooks get on stdin and `state` prints. */
export interface OciState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: ContainerStatus;
  /** Of the stub; 0 when it has ended. */
  readonly pid: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
