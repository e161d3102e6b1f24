import type { Cleanup } from '../../src/util/cleanup.ts';
import { findProgram } from '../find-program.ts';
import { containerd } from './containerd.ts';
import { crun, runc, runsc } from './oci-runtime.ts';
import type { Peer, PeerKind, PeerSetup } from './peer.ts';
import { podman } from './podman.ts';

const KINDS = { podman, containerd, runsc, crun, runc };

export type PeerName = keyof typeof KINDS;

/** The peers that take part, and for the others why not. */
export interface Peers {
  readonly present: ReadonlyMap<PeerName, Peer>;
  readonly absent: readonly { readonly name: string; readonly reason: string }[];
}

/** Debian packages with all peers. */
export function listPeerPackages(): string[] {
  return [...new Set(Object.values(KINDS).flatMap(({ packages }) => packages))].sort();
}

/** Sets up whoever can run here. Without a setup (not root, so no namespace of our own) nobody can. */
export async function openPeers(setup: PeerSetup | undefined, cleanup: Cleanup): Promise<Peers> {
  const present = new Map<PeerName, Peer>();
  const absent: { name: string; reason: string }[] = [];
  for (const [name, kind] of Object.entries(KINDS) as [PeerName, PeerKind][]) {
    const obstacle = findObstacle(kind, setup);
    if (setup === undefined || obstacle !== undefined) {
      absent.push({ name: kind.name, reason: obstacle ?? '' });
      continue;
    }
    try {
      present.set(name, await kind.open(setup, cleanup));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      absent.push({ name: kind.name, reason: `does not run here: ${reason}` });
    }
  }
  return { present, absent };
}

function findObstacle(kind: PeerKind, setup: PeerSetup | undefined): string | undefined {
  const missing = kind.programs.filter((program) => !findProgram(program));
  if (missing.length > 0) return `not installed (${missing.join(', ')})`;
  return setup === undefined ? 'needs root, with the right to make namespaces' : undefined;
}
