import { setTimeout as delay } from 'node:timers/promises';
import { listProcesses, measureMemoryFileBytes, measurePrivateBytes } from '../memory.ts';
import type { Peer } from '../peers/peer.ts';
import { type Bench, findPeers, nextPeerId, removePeerContainer } from '../rows/row.ts';
import type { DensityOptions } from './density-options.ts';

/** Private memory of another engine's idle containers, monitors and shims among it. */
export interface PeerDensity {
  readonly name: string;
  readonly points: readonly { readonly count: number; readonly perContainerBytes: number }[];
  readonly failure?: string;
}

const QUIET_MS = 2_000;
/** One alone would seem to own what it shares with the next. */
const LEAST_CONTAINERS = 2;
const MOST_CONTAINERS = 50;
/** An engine that has taken longer than this for a step is spared the next. */
const PATIENCE_MS = 30_000;

/** All of them at the numbers of containers that we are measured at, one engine after the other. */
export async function measurePeerDensity(
  bench: Bench,
  options: DensityOptions,
): Promise<PeerDensity[]> {
  const results: PeerDensity[] = [];
  for (const peer of findPeers(bench, ['podman', 'containerd', 'runsc'])) {
    options.say(`density: ${peer.name}`);
    results.push(await measurePeer(bench, peer, options));
  }
  return results;
}

async function measurePeer(
  bench: Bench,
  peer: Peer,
  options: DensityOptions,
): Promise<PeerDensity> {
  const { counts, signal } = options;
  const points: { count: number; perContainerBytes: number }[] = [];
  const ids: string[] = [];
  const before = listProcesses();
  try {
    for (const count of counts) {
      if (count < LEAST_CONTAINERS || count > MOST_CONTAINERS) continue;
      const startMs = performance.now();
      while (ids.length < count) {
        signal.throwIfAborted();
        const id = nextPeerId();
        await bench.runner.time(peer.start(id));
        ids.push(id);
      }
      await delay(QUIET_MS, undefined, { signal });
      points.push({ count, perContainerBytes: sumAdded(before) / count });
      if (performance.now() - startMs > PATIENCE_MS) break;
    }
    return { name: peer.name, points };
  } catch (error) {
    signal.throwIfAborted();
    const failure = error instanceof Error ? error.message : String(error);
    return { name: peer.name, points, failure };
  } finally {
    for (const id of ids) await removePeerContainer(bench, peer, id);
  }
}

function sumAdded(before: ReadonlySet<number>): number {
  const added = [...listProcesses()].filter((pid) => !before.has(pid));
  const own = added.reduce((sum, pid) => sum + measurePrivateBytes(pid), 0);
  return own + measureMemoryFileBytes(added);
}
