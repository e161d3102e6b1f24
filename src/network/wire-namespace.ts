import type { NetworkConfig, NetworkInterface, NetworkModel } from '../machine/network-config.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import type { Resolver } from './find-resolver.ts';
import { deviceName, isOwnDevice } from './own-device.ts';
import { NetworkCommandError, type NetworkNamespace, runInNamespace } from './run-in-namespace.ts';
import { announceResolver, forgetResolver, serveResolver } from './serve-resolver.ts';
import type { FoundNetwork } from './translate-report.ts';
import { buildMacvtaps, buildRedirects, buildTaps, buildUndo } from './wiring.ts';

/** What is wired, and how. */
export interface WiringPlan {
  readonly found: FoundNetwork;
  readonly model: NetworkModel;
  /** Serves the namespace's loopback; absent: none does. */
  readonly resolver: Resolver | undefined;
}

/** Makes a tap for each interface, and joins the two. When a command fails nothing is left. */
export async function wireNamespace(
  namespace: NetworkNamespace,
  plan: WiringPlan,
): Promise<NetworkConfig> {
  const { leftovers, ...found } = plan.found;
  // A machine that died without its runtime's noticing has left them.
  if (leftovers.length > 0) await unwire(namespace, found.interfaces, leftovers);
  const cleanup = new Cleanup();
  try {
    const indexes = await makeDevices(namespace, plan, cleanup);
    const interfaces = found.interfaces.map((one, place) =>
      attachBackend(one, { place, indexes, namespacePath: namespace.namespacePath }),
    );
    const network = { ...found, interfaces };
    const { resolver } = plan;
    // A macvtap's packets never come to the namespace's own stack.
    if (resolver === undefined || plan.model === 'macvtap') return network;
    await serveResolver(namespace, interfaces, { resolver, cleanup });
    return announceResolver(network);
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

/** Takes away what `wireNamespace` made; what has gone already is no error. */
export async function unwireNamespace(
  namespace: NetworkNamespace,
  { interfaces }: NetworkConfig,
  resolver?: Resolver,
): Promise<void> {
  const ours = interfaces.filter(({ backend }) => isOwnDevice(backend.name));
  const redirected = ours.filter(({ backend }) => backend.kind === 'tap');
  const devices = ours.map(({ backend }) => backend.name);
  await unwire(namespace, redirected, devices);
  if (resolver !== undefined && devices[0] !== undefined) {
    await tolerate(forgetResolver(namespace, devices[0], resolver));
  }
}

async function unwire(
  namespace: NetworkNamespace,
  redirected: readonly { readonly name: string }[],
  devices: readonly string[],
): Promise<void> {
  const redirects = redirected.map(({ name }) => `qdisc del dev ${name} ingress`);
  const removals = devices.map((name) => `link del dev ${name}`);
  await tryLines(namespace, { program: 'tc', lines: redirects });
  await tryLines(namespace, { program: 'ip', lines: removals });
}

/** Returns the numbers of macvtaps by their names. */
async function makeDevices(
  namespace: NetworkNamespace,
  { found: { interfaces }, model }: WiringPlan,
  cleanup: Cleanup,
): Promise<ReadonlyMap<string, number>> {
  const lines = model === 'macvtap' ? buildMacvtaps(interfaces) : buildTaps(interfaces);
  await runLines(namespace, { program: 'ip', lines }, cleanup);
  if (model === 'macvtap') return await findIndexes(namespace);
  await runLines(namespace, { program: 'tc', lines: buildRedirects(interfaces) }, cleanup);
  return new Map();
}

async function findIndexes(namespace: NetworkNamespace): Promise<ReadonlyMap<string, number>> {
  const argv = ['ip', '-json', '-batch', '-'];
  const output = await runInNamespace({ ...namespace, argv, lines: ['link show'] });
  const links = JSON.parse(output) as { ifname: string; ifindex: number }[];
  return new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
}

interface Place {
  readonly place: number;
  readonly indexes: ReadonlyMap<string, number>;
  readonly namespacePath: string;
}

function attachBackend(
  { isFreeTap, ...found }: FoundNetwork['interfaces'][number],
  { place, indexes, namespacePath }: Place,
): NetworkInterface {
  const name = isFreeTap ? found.name : deviceName(place);
  if (isFreeTap || indexes.size === 0) {
    return { ...found, backend: { kind: 'tap', namespacePath, name } };
  }
  const index = indexes.get(name);
  if (index === undefined) {
    throw new WardianError('NETWORK_FAILED', `the macvtap ${name} was made, and is not there`);
  }
  return { ...found, backend: { kind: 'macvtap', namespacePath, name, index } };
}

interface Batch {
  readonly program: 'ip' | 'tc';
  readonly lines: readonly string[];
}

/** Registers for `cleanup` what was done, even when only a part of it was. */
async function runLines(
  namespace: NetworkNamespace,
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

async function tryLines(namespace: NetworkNamespace, { program, lines }: Batch): Promise<void> {
  if (lines.length === 0) return;
  const argv = [program, '-force', '-batch', '-'];
  await tolerate(runInNamespace({ ...namespace, argv, lines }));
}

/** What is not there need not be removed: the engine may have taken the interfaces away before us. */
async function tolerate(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!(error instanceof NetworkCommandError)) throw error;
  }
}
