import { findMissingPackages, installPackages } from '../../scripts/support/debian.ts';
import { listPeerPackages } from './open-peers.ts';

/** Installs all peers from Debian; needs root. Returns what was missing. */
export async function installPeers(report: (text: string) => void): Promise<string[]> {
  const missing = await findMissingPackages(listPeerPackages());
  if (missing.length > 0) await installPackages(missing, report);
  return missing;
}
