import type { Contestant } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import { OURS } from '../table.ts';
import { IMAGE } from '../wardian.ts';
import { type Bench, findPeers, nextPeerId, type Row } from './row.ts';

const COUNT = 10;

/** As many at once: until the last of them has ended. */
export const parallel: Row = {
  name: 'parallel',
  title: `${COUNT} × \`wardian run --rm busybox true\` at once, until the last is done`,
  unit: 'ms',
  async prepare(bench) {
    const peers = findPeers(bench, ['podman', 'containerd', 'runsc']);
    return [measureOurs(bench), ...peers.map((peer) => measurePeer(bench, peer))];
  },
};

function measureOurs(bench: Bench): Contestant {
  const runner = bench.createRunner(bench.commands);
  const argv = bench.commands.run('--rm', IMAGE, 'true');
  return { name: OURS, measure: () => timeTogether(() => runner.time(argv)) };
}

function measurePeer({ runner }: Bench, peer: Peer): Contestant {
  return {
    name: `${peer.name}: run`,
    measure: () => timeTogether(() => runner.time(peer.run(nextPeerId()))),
  };
}

async function timeTogether(start: () => Promise<unknown>) {
  const startMs = performance.now();
  await Promise.all(Array.from({ length: COUNT }, start));
  return { value: performance.now() - startMs };
}
