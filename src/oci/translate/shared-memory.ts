import type { GuestJoin, GuestMount } from '../guest-operations.ts';
import { MS } from './mount-options.ts';

const PLACE = '/dev/shm';
/** Where the agent puts the /dev/shm of the container whose ipc namespace is joined (protocol/agent.proto, Mount). */
const BORROWED = '/run/wardian/shm';
const CLONE_NEWIPC = 0x08000000n;

export interface SharedMemoryChoice {
  joins: readonly GuestJoin[];
  /** Size of the tmpfs that the engine has made for /dev/shm; undefined: what it binds there is none. */
  sharedMemoryBytes: bigint | undefined;
}

/**
 * Engines bind a tmpfs of the host to /dev/shm. In a guest, memory that processes share must be the guest's: a tmpfs of
 * its own takes the place of that one, or the tmpfs of the container whose ipc namespace is joined.
 */
export function translateSharedMemory(
  mounts: readonly GuestMount[],
  { joins, sharedMemoryBytes }: SharedMemoryChoice,
): GuestMount[] {
  const isJoined = joins.some(({ namespace }) => namespace === CLONE_NEWIPC);
  return mounts.map((mount) => {
    if (mount.destination !== PLACE || (mount.flags & MS.BIND) === 0n) return mount;
    if (sharedMemoryBytes === undefined) return mount;
    if (isJoined) return { ...mount, source: BORROWED };
    const flags = mount.flags & ~(MS.BIND | MS.REC);
    const data = `mode=1777,size=${sharedMemoryBytes}`;
    return { ...mount, type: 'tmpfs', source: 'shm', flags, data };
  });
}
