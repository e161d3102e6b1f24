import type { GuestJoin } from '../guest-operations.ts';
import type { Linux, Namespace, NamespaceType } from '../runtime-spec/types.ts';
import { invalid, unsupported } from './unsupported.ts';

/** linux/sched.h. */
const CLONE_FLAGS = {
  mount: 0x00020000n,
  cgroup: 0x02000000n,
  uts: 0x04000000n,
  ipc: 0x08000000n,
  pid: 0x20000000n,
  network: 0x40000000n,
} as const;

export type NewNamespace = keyof typeof CLONE_FLAGS;

/**
 * What a container of its own sandbox gets anew: as in a pod, network, ipc and uts are the
 * sandbox's, which the container has to itself anyway.
 */
export const DEFAULT_NEW_NAMESPACES: readonly NewNamespace[] = ['mount', 'pid', 'cgroup'];

/** Without them the container would stand in the agent's own files and cgroups. */
const ALWAYS_NEW: readonly NewNamespace[] = ['mount', 'cgroup'];

/** Namespaces of the host that stand for the sandbox: the machine as a whole takes their place. */
const SANDBOX_OWNED: ReadonlySet<NamespaceType> = new Set(['network', 'ipc', 'uts', 'cgroup']);

export interface NamespaceChoice {
  /** Of those that are listed, the ones to make anew. */
  allowed: readonly NewNamespace[];
  /** Those of another container in the sandbox, which are not listed any more. */
  joins: readonly GuestJoin[];
}

/** The CLONE_NEW* bits: what the specification lists, as far as `allowed` has it. */
export function translateNamespaces(linux: Linux, { allowed, joins }: NamespaceChoice): bigint {
  const listed = linux.namespaces ?? [];
  listed.forEach((namespace, index) => {
    checkNamespace(namespace, `linux.namespaces[${index}]`, listed.slice(0, index));
  });
  const hasPid = [...listed.map(({ type }) => type), ...joins.map(nameOf)].includes('pid');
  if (!hasPid) {
    throw unsupported(
      'linux.namespaces',
      'has no pid namespace: the processes of the host are out of reach of its virtual machine',
      'do without --pid=host',
    );
  }
  const asked = (name: NewNamespace) =>
    listed.some(({ type, path }) => type === name && path === undefined);
  const names = new Set([...ALWAYS_NEW, ...allowed.filter(asked)]);
  return [...names].reduce((bits, name) => bits | CLONE_FLAGS[name], 0n);
}

function nameOf({ namespace }: GuestJoin): string | undefined {
  return Object.entries(CLONE_FLAGS).find(([, bit]) => bit === namespace)?.[0];
}

function checkNamespace(namespace: Namespace, path: string, before: Namespace[]): void {
  const { type } = namespace;
  if (before.some((other) => other.type === type)) throw invalid(path, `names "${type}" twice`);
  if (type === 'user') {
    throw unsupported(path, 'a user namespace: the virtual machine is the boundary');
  }
  if (namespace.path !== undefined && !SANDBOX_OWNED.has(type)) {
    throw unsupported(path, `a ${type} namespace of the host cannot be entered from the sandbox`);
  }
}
