import type { GuestNetwork } from '../network/describe-guest-network.ts';
import type { GuestContainer } from '../oci/guest-operations.ts';
import type { GuestName } from '../template/guest.ts';
import type { HostResources } from '../template/machine.ts';
import type { SizeClass } from '../template/size-class.ts';
import type { EngineState } from './sandbox-state.ts';

/** A container that is about to be: everything decided, nothing done. */
export interface ContainerPlan {
  readonly id: string;
  readonly name: string;
  readonly image: { readonly reference: string; readonly id: string; readonly erofsPath?: string };
  /** What the client asked for, kept for `inspect`; the sandbox does not look into it. */
  readonly request: unknown;
  /** The runtime-spec config.json that `guest` was translated from, as text. */
  readonly spec: string;
  readonly guest: GuestContainer;
  readonly hostname: string;
  readonly size: SizeClass;
  /** Whose kernel it runs on; undefined: the one that is preferred here. */
  readonly guestName: GuestName | undefined;
  /** False: boot cold. */
  readonly fromTemplate: boolean;
  readonly stopSignal: number;
  /** Its output is kept in this file; undefined: nowhere. */
  readonly logPath: string | undefined;
  /** A client is going to attach as the owner: output waits for it, and the container ends with it. */
  readonly owned: boolean;
  /** What of the host its machine is given. */
  readonly host: HostResources;
  /** What the guest is told of its network; undefined: there is none. */
  readonly network?: GuestNetwork | undefined;
  /** Of an engine's container. */
  readonly engine?: EngineState;
}
