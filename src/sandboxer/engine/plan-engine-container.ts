import { availableParallelism, totalmem } from 'node:os';
import { describeGuestNetwork } from '../../network/describe-guest-network.ts';
import type { GuestJoin } from '../../oci/guest-operations.ts';
import { parseSpec } from '../../oci/runtime-spec/parse.ts';
import type { Namespace, Resources, Spec } from '../../oci/runtime-spec/types.ts';
import { DEFAULT_NEW_NAMESPACES } from '../../oci/translate/namespaces.ts';
import { translateSpec } from '../../oci/translate/translate-spec.ts';
import type { ContainerPlan } from '../../sandbox/container-plan.ts';
import { chooseSizeClass, findMostMemory } from '../../template/size-class.ts';
import type { CreateContainerRequest } from '../engine-api.ts';
import { measureSharedMemory } from './measure-shared-memory.ts';

/** Where the guest sees what the host shares (protocol/agent.proto, Mount). */
const SHARE_IN_GUEST = '/run/wardian/share';
const HOSTNAME = 'localhost';
const DEFAULT_STOP_SIGNAL = 15;
/** CLONE_NEW* of linux/sched.h, for namespaces that can be those of another container in the sandbox. */
const JOINABLE = { pid: 0x20000000n, ipc: 0x08000000n, uts: 0x04000000n } as const;
const NAMESPACE_OF_PROCESS = /^\/proc\/(\d{1,10})\/ns\/[a-z]+$/;

/** Finds the container in the sandbox that a process of the host stands for. */
export type FindByStub = (pid: number) => string | undefined;

/** Others may join the sandbox later. A machine's first ipc namespace also has the number of the host's, which confuses people. */
const NEW_NAMESPACES = ['ipc', 'uts', ...DEFAULT_NEW_NAMESPACES] as const;

/** Decides everything about an engine's container before anything is done: guest operations, machine. */
export function planEngineContainer(
  request: CreateContainerRequest,
  findByStub: FindByStub,
): ContainerPlan {
  const { id, name, share, stub, sandbox, network, hookState, cgroupDirectories } = request;
  const spec = parseSpec(request.spec);
  const { joins, namespaces } = findJoins(spec.linux?.namespaces ?? [], findByStub);
  const bindNames = new Map(share.binds.map((bind) => [bind.mount, bind.name]));
  const guest = translateSpec(describeForGuest(spec, namespaces), {
    id,
    layers: [],
    folder: `${share.folder}/rootfs`,
    stdin: true,
    newNamespaces: NEW_NAMESPACES,
    bindSource: (_, index) => {
      const bind = bindNames.get(index);
      return bind === undefined ? undefined : `${SHARE_IN_GUEST}/${share.folder}/${bind}`;
    },
    joins,
    sharedMemoryBytes: measureSharedMemory(spec.mounts ?? [], share),
    hookState,
  });
  const taps = network?.interfaces.map(({ backend }) => backend) ?? [];
  return {
    id,
    name,
    image: { reference: '', id: '' },
    request: {},
    spec: request.spec,
    guest,
    hostname: spec.hostname ?? HOSTNAME,
    size: chooseSizeClass(findLimits(spec.linux?.resources ?? {})),
    guestName: undefined,
    fromTemplate: taps.length <= 1, // a template's guest has found one device
    stopSignal: DEFAULT_STOP_SIGNAL,
    logPath: undefined, // the engine keeps what its containers write
    owned: true,
    host: { share: { path: share.directory, writable: true }, taps, cgroupDirectories },
    network: network && describeGuestNetwork(network),
    engine: { stub, ...(sandbox !== undefined && { sandbox }) },
  };
}

/** Namespaces that are another container's, and those that are left. */
function findJoins(
  listed: readonly Namespace[],
  findByStub: FindByStub,
): { joins: GuestJoin[]; namespaces: Namespace[] } {
  const joins: GuestJoin[] = [];
  const namespaces = listed.filter(({ type, path }) => {
    const pid = NAMESPACE_OF_PROCESS.exec(path ?? '')?.[1];
    const containerId = pid === undefined ? undefined : findByStub(Number(pid));
    if (containerId === undefined || !isJoinable(type)) return true;
    joins.push({ namespace: JOINABLE[type], containerId });
    return false;
  });
  return { joins, namespaces };
}

function isJoinable(type: string): type is keyof typeof JOINABLE {
  return Object.hasOwn(JOINABLE, type);
}

/** CPUs and memory nodes are named as the host counts them, where they hold for the machine's processes. */
function describeForGuest(spec: Spec, namespaces: Namespace[]): Spec {
  if (spec.linux === undefined) return spec;
  const linux = { ...spec.linux, namespaces };
  const { resources } = linux;
  if (resources?.cpu === undefined) return { ...spec, linux };
  return { ...spec, linux: { ...linux, resources: withoutHostNumbers(resources) } };
}

/** What of an engine's limits can be said to a guest. */
export function withoutHostNumbers(resources: Resources): Resources {
  if (resources.cpu === undefined) return resources;
  const { cpus: _, mems: __, ...cpu } = resources.cpu;
  return { ...resources, cpu };
}

/** The limits that decide about the machine's size: as much of them as a machine of this host can have. */
export function findLimits({ cpu, memory }: Resources): { cpus?: number; memoryBytes?: number } {
  const cpus = [quotaCpus(cpu?.quota, cpu?.period), countCpus(cpu?.cpus)].filter(
    (count) => count !== undefined,
  );
  const memoryBytes = Number(memory?.limit ?? 0n);
  return {
    ...(cpus.length > 0 && { cpus: Math.min(...cpus, availableParallelism()) }),
    ...(memoryBytes > 0 && { memoryBytes: Math.min(memoryBytes, findMostMemory(totalmem())) }),
  };
}

/** The kernel's own period, in microseconds. */
const DEFAULT_PERIOD = 100_000n;

function quotaCpus(quota = 0n, period = 0n): number | undefined {
  return quota > 0n ? Number(quota) / Number(period > 0n ? period : DEFAULT_PERIOD) : undefined;
}

/** Of a list such as "0-2,7"; undefined when it names none. */
function countCpus(list = ''): number | undefined {
  let count = 0;
  for (const [, first, last] of list.matchAll(/(\d{1,6})(?:-(\d{1,6}))?/g)) {
    count += Math.max(0, Number(last ?? first) - Number(first)) + 1;
  }
  return count > 0 ? count : undefined;
}
