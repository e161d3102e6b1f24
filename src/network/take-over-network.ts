import { readFileSync, statSync } from 'node:fs';
import type { NetworkConfig } from '../machine/network-config.ts';
import { Cleanup } from '../util/cleanup.ts';
import { hasErrno, WardianError } from '../util/errors.ts';
import { parseIpReport, REPORT_COMMANDS } from './ip-output.ts';
import { deviceName, isOwnDevice } from './own-device.ts';
import { NetworkCommandError, runInNamespace } from './run-in-namespace.ts';
import { type FoundNetwork, translateReport } from './translate-report.ts';
import { buildRedirects, buildTaps, buildUndo } from './wiring.ts';

/** More than that a machine has no slots for, and no container. */
const MOST_INTERFACES = 8;

/** Whose network a virtual machine takes over. */
export interface NetworkOwner {
  /** A process in the namespace, alive as long as the machine: the stub. */
  readonly processId: number;
  /** A path of the namespace that outlives the process, where there is one. */
  readonly namespacePath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A network namespace that has been wired, with what is needed to undo that; plain JSON. */
export interface WiredNetwork {
  readonly network: NetworkConfig;
  readonly namespacePath: string;
  /** Of the namespace: paths of processes come to mean others. */
  readonly namespaceInode: number;
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
  const network = describeNetwork(found, processPath);
  const wired = { network, namespacePath: owner.namespacePath ?? processPath, namespaceInode };
  await wire(namespace, found, network);
  return wired;
}

/** Takes back what was done to a namespace; one that is gone, or has become another, is left alone. */
export async function unwireNetwork(wired: WiredNetwork): Promise<void> {
  const { network, namespacePath, namespaceInode } = wired;
  try {
    if (statSync(namespacePath).ino !== namespaceInode) return;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return;
    throw error;
  }
  await unwire({ namespacePath }, network.interfaces);
}

interface Namespace {
  readonly namespacePath: string;
  readonly signal?: AbortSignal | undefined;
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

async function scanNamespace(namespace: Namespace): Promise<FoundNetwork> {
  const argv = ['ip', '-N', '-json', '-details', '-batch', '-'];
  const found = translateReport(
    parseIpReport(await runInNamespace({ ...namespace, argv, lines: REPORT_COMMANDS })),
  );
  if (found.interfaces.length <= MOST_INTERFACES) return found;
  throw new WardianError(
    'NETWORK_UNSUPPORTED',
    `the network namespace has ${found.interfaces.length} interfaces, and a virtual machine at most ${MOST_INTERFACES}`,
  );
}

function describeNetwork(found: FoundNetwork, namespacePath: string): NetworkConfig {
  const interfaces = found.interfaces.map(({ isFreeTap, ...rest }, place) => ({
    ...rest,
    backend: {
      kind: 'tap' as const,
      namespacePath,
      name: isFreeTap ? rest.name : deviceName(place),
    },
  }));
  return { interfaces, routes: found.routes, neighbours: found.neighbours };
}

async function wire(
  namespace: Namespace,
  found: FoundNetwork,
  network: NetworkConfig,
): Promise<void> {
  const { interfaces, leftovers } = found;
  if (leftovers.length > 0) await unwire(namespace, network.interfaces);
  const cleanup = new Cleanup();
  try {
    await runLines(namespace, { program: 'ip', lines: buildTaps(interfaces) }, cleanup);
    await runLines(namespace, { program: 'tc', lines: buildRedirects(interfaces) }, cleanup);
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

async function unwire(
  namespace: Namespace,
  interfaces: NetworkConfig['interfaces'],
): Promise<void> {
  const ours = interfaces.filter(({ backend }) => isOwnDevice(backend.name));
  const redirects = ours.map(({ name }) => `qdisc del dev ${name} ingress`);
  const taps = ours.map(({ backend }) => `link del dev ${backend.name}`);
  await tryLines(namespace, { program: 'tc', lines: redirects });
  await tryLines(namespace, { program: 'ip', lines: taps });
}

interface Batch {
  readonly program: 'ip' | 'tc';
  readonly lines: readonly string[];
}

/** Registers for `cleanup` what was done, even when only a part of it was. */
async function runLines(
  namespace: Namespace,
  { program, lines }: Batch,
  cleanup: Cleanup,
): Promise<void> {
  if (lines.length === 0) return;
  const deferUndo = (done: readonly string[]) =>
    cleanup.defer(`network (${program})`, () =>
      tryLines({ namespacePath: namespace.namespacePath }, { program, lines: buildUndo(done) }),
    );
  try {
    await runInNamespace({ ...namespace, argv: [program, '-batch', '-'], lines });
    deferUndo(lines);
  } catch (error) {
    // Stopped half-way by other reasons than its own, it may have come to the end.
    const isKnown = error instanceof NetworkCommandError;
    deferUndo(isKnown ? lines.slice(0, error.completedCount) : lines);
    throw error;
  }
}

/** What is not there need not be removed: the engine may have taken the interfaces away before us. */
async function tryLines(namespace: Namespace, { program, lines }: Batch): Promise<void> {
  if (lines.length === 0) return;
  try {
    await runInNamespace({ ...namespace, argv: [program, '-force', '-batch', '-'], lines });
  } catch (error) {
    if (!(error instanceof NetworkCommandError)) throw error;
  }
}
