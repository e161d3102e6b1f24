import type { Contestant, Sample } from '../measure.ts';
import {
  findProcessName,
  listProcesses,
  measureMemoryFileBytes,
  measurePrivateBytes,
} from '../memory.ts';
import type { Peer } from '../peers/peer.ts';
import { OURS } from '../table.ts';
import { IDLE_COMMAND, IMAGE, stopSandboxer } from '../wardian.ts';
import { type Bench, findPeers, nextPeerId, type Row, removePeerContainer } from './row.ts';

const COUNT = 10;
/** Until what the start has left behind (exiting helpers, late output) is gone. */
const IDLE_MS = 2_000;
const MEBIBYTE = 2 ** 20;

/**
 * What the host spends on each of ten idle containers: private memory of every process that was not there before, and
 * the template's memory, which the clones share, once.
 */
export const memory: Row = {
  name: 'memory',
  title: `private memory per idle container, at ${COUNT}`,
  unit: 'MiB',
  mostRuns: 3,
  mostWarmups: 0,
  async prepare(bench, cleanup) {
    const commands = bench.createCommands('memory');
    cleanup.defer('sandboxer', () => stopSandboxer(commands));
    const runner = bench.createRunner(commands);
    const ours: Contestant = {
      name: OURS,
      measure: () =>
        measureAround(
          async () => {
            for (let count = 0; count < COUNT; count++) {
              await runner.time(commands.run('--detach', IMAGE, ...IDLE_COMMAND));
            }
          },
          () => stopSandboxer(commands),
        ),
    };
    const peers = findPeers(bench, ['podman', 'containerd', 'runsc']);
    return [ours, ...peers.map((peer) => measurePeer(bench, peer))];
  },
};

function measurePeer(bench: Bench, peer: Peer): Contestant {
  const measure = () => {
    const ids = Array.from({ length: COUNT }, nextPeerId);
    return measureAround(
      async () => {
        for (const id of ids) await bench.runner.time(peer.start(id));
      },
      async () => {
        for (const id of ids) await removePeerContainer(bench, peer, id);
      },
    );
  };
  return { name: `${peer.name}: idle`, measure };
}

async function measureAround(
  start: () => Promise<void>,
  stop: () => Promise<void>,
): Promise<Sample> {
  const before = listProcesses();
  try {
    await start();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const added = [...listProcesses()].filter((pid) => !before.has(pid));
    return sumMemory(added);
  } finally {
    await stop();
  }
}

/** Per container, with a part for each program. */
function sumMemory(pids: readonly number[]): Sample {
  const parts: Record<string, number> = {};
  const add = (name: string, bytes: number): void => {
    if (bytes > 0) parts[name] = (parts[name] ?? 0) + bytes / MEBIBYTE / COUNT;
  };
  for (const pid of pids) add(findProcessName(pid), measurePrivateBytes(pid));
  add('template, once for all', measureMemoryFileBytes(pids));
  const value = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { value, parts };
}
