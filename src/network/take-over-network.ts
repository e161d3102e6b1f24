import { readFileSync, statSync } from 'node:fs';
import type { NetworkConfig, NetworkModel } from '../machine/network-config.ts';
import { hasErrno, WardianError } from '../util/errors.ts';
import { findResolver, type Resolver } from './find-resolver.ts';
import { parseIpReport, REPORT_COMMANDS } from './ip-output.ts';
import { type NetworkNamespace, runInNamespace } from './run-in-namespace.ts';
import { type FoundNetwork, translateReport } from './translate-report.ts';
import { unwireNamespace, wireNamespace } from './wire-namespace.ts';

/** A microvm has eight slots, of which every sandbox's machine uses five for other devices. */
const MOST_INTERFACES = 3;

/** Whose network a virtual machine takes over. */
export interface NetworkOwner {
  /** A process in the namespace, alive as long as the machine: the stub. */
  readonly processId: number;
  /** A path of the namespace that outlives the process, where there is one. */
  readonly namespacePath?: string | undefined;
  /** Asked when there is something to wire. */
  chooseModel(): NetworkModel | Promise<NetworkModel>;
  readonly signal?: AbortSignal | undefined;
}

/** A network namespace that has been wired, with what is needed to undo that; plain JSON. */
export interface WiredNetwork {
  readonly network: NetworkConfig;
  readonly namespacePath: string;
  /** Of the namespace: paths of processes come to mean others. */
  readonly namespaceInode: number;
  /** What was found on the namespace's loopback. */
  readonly resolver?: Resolver;
}

/**
 * Finds every interface of a network namespace, and wires each to a tap for the machine. Resolves to undefined where
 * there is none but the loopback. Throws NETWORK_UNSUPPORTED for the host's own namespace, NETWORK_FAILED when a
 * command of iproute2 fails; nothing is left then.
 */
export async function takeOverNetwork(owner: NetworkOwner): Promise<WiredNetwork | undefined> {
  const processPath = `/proc/${owner.processId}/ns/net`;
  const namespaceInode = statSync(processPath).ino;
  if (namespaceInode === statSync('/proc/self/ns/net').ino) throw refuseHost();
  if (hasOnlyLoopback(owner.processId)) return undefined;
  const namespace = { namespacePath: processPath, signal: owner.signal };
  const found = await scanNamespace(namespace);
  if (found.interfaces.length === 0) return undefined;
  const resolver = findResolver(owner.processId);
  const plan = { found, model: await owner.chooseModel(), resolver };
  const network = await wireNamespace(namespace, plan);
  const namespacePath = owner.namespacePath ?? processPath;
  return { network, namespacePath, namespaceInode, ...(resolver && { resolver }) };
}

/** Takes back what was done to a namespace; one that is gone, or has become another, is left alone. */
export async function unwireNetwork(wired: WiredNetwork): Promise<void> {
  const { network, namespacePath, namespaceInode, resolver } = wired;
  try {
    if (statSync(namespacePath).ino !== namespaceInode) return;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return;
    throw error;
  }
  await unwireNamespace({ namespacePath }, network, resolver);
}

function refuseHost(): WardianError {
  return new WardianError(
    'NETWORK_UNSUPPORTED',
    "the container asks for the host's own network, but a virtual machine has a network stack of its own",
    { hint: 'give it a network namespace: --network none, bridge, or one with a path' },
  );
}

/** The quick way: most containers without a network need no process to find that out. */
function hasOnlyLoopback(processId: number): boolean {
  const [, , ...lines] = readFileSync(`/proc/${processId}/net/dev`, 'utf8').trim().split('\n');
  return lines.every((line) => line.split(':', 1)[0]?.trim() === 'lo');
}

async function scanNamespace(namespace: NetworkNamespace): Promise<FoundNetwork> {
  const argv = ['ip', '-N', '-json', '-details', '-batch', '-'];
  const found = translateReport(
    parseIpReport(await runInNamespace({ ...namespace, argv, lines: REPORT_COMMANDS })),
  );
  if (found.interfaces.length <= MOST_INTERFACES) return found;
  throw new WardianError(
    'NETWORK_UNSUPPORTED',
    `the network namespace has ${found.interfaces.length} interfaces, and a virtual machine at most ${MOST_INTERFACES}`,
    { hint: 'connect the container to fewer networks' },
  );
}
