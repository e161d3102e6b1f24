import type { Cleanup } from '../../src/util/cleanup.ts';
import type { CommandRunner } from '../command.ts';
import type { Contestant } from '../measure.ts';
import type { PeerName, Peers } from '../peers/open-peers.ts';
import type { Peer } from '../peers/peer.ts';
import type { WardianCommands, WardianLibrary } from '../wardian.ts';

/** What rows measure with. */
export interface Bench {
  readonly peers: Peers;
  readonly library: WardianLibrary;
  /** Our commands, with a sandboxer that stays. */
  readonly commands: WardianCommands;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Our commands with a sandboxer of their own in a folder of that name, and what differs in its environment. */
  createCommands(name: string, variables?: Readonly<Record<string, string>>): WardianCommands;
  /** For peers. */
  readonly runner: CommandRunner;
  createRunner(commands: WardianCommands): CommandRunner;
  /** A folder for a row's own files. */
  readonly directory: string;
}

export interface Row {
  /** For the command line. */
  readonly name: string;
  readonly title: string;
  readonly unit: 'ms' | 'MiB';
  /** The most that our median may be, on a quiet machine of 2 cores under TCG. */
  readonly budget?: number;
  /** Where fewer runs than asked for tell as much: each takes long, or hardly varies. */
  readonly mostRuns?: number;
  readonly mostWarmups?: number;
  /** Ours first. What is acquired is given back by `cleanup` when the row is done. */
  prepare(bench: Bench, cleanup: Cleanup): Promise<Contestant[]>;
}

/** Peers of these names that are there, in this order. */
export function findPeers({ peers }: Bench, names: readonly PeerName[]): Peer[] {
  return names.map((name) => peers.present.get(name)).filter((peer) => peer !== undefined);
}

let idCount = 0;

/** A name for a peer's container that no other has in this run. */
export function nextPeerId(): string {
  return `bench-${idCount++}`;
}

/** Contestants that run `true` in a new container. */
export function runPeers(bench: Bench, names: readonly PeerName[]): Contestant[] {
  return findPeers(bench, names).map((peer) => ({
    name: `${peer.name}: run`,
    measure: async () => ({ value: await bench.runner.time(peer.run(nextPeerId())) }),
  }));
}

/** Contestants that run `true` in a container that is there already. */
export async function execPeers(
  bench: Bench,
  names: readonly PeerName[],
  cleanup: Cleanup,
): Promise<Contestant[]> {
  return await Promise.all(
    findPeers(bench, names).map(async (peer) => {
      const name = `${peer.name}: exec`;
      const id = nextPeerId();
      try {
        await bench.runner.time(peer.start(id));
      } catch (error) {
        return { name, measure: () => Promise.reject(error) }; // a peer that fails is no reason for others to fail
      }
      cleanup.defer(peer.name, () => removePeerContainer(bench, peer, id));
      return {
        name,
        measure: async () => ({ value: await bench.runner.time(peer.exec(id)) }),
      };
    }),
  );
}

/** Ends and removes a container that `Peer.start` has left. */
export async function removePeerContainer(bench: Bench, peer: Peer, id: string): Promise<void> {
  for (const argv of peer.remove(id)) await bench.runner.time(argv);
}
