import { existsSync } from 'node:fs';
import type { Spec } from '../../oci/runtime-spec/types.ts';
import { WardianError } from '../../util/errors.ts';
import type { ContainerState } from '../state/container-state.ts';
import { getContainerFolder, listContainerIds, readState } from '../state/state-folder.ts';
import { getStatus } from '../state/status.ts';

/** How engines say that a container belongs to a pod: what kind it is, and the id of the pod's first one. */
const POD_ANNOTATIONS = [
  {
    kind: 'io.kubernetes.cri.container-type',
    sandbox: 'io.kubernetes.cri.sandbox-id',
    mayBeMissing: false,
  },
  {
    kind: 'io.kubernetes.cri-o.ContainerType',
    sandbox: 'io.kubernetes.cri-o.SandboxID',
    // podman gives the pod's own id where the pod has no first container (--infra=false).
    mayBeMissing: true,
  },
] as const;
/** Our own: the id of a container whose virtual machine is shared. */
const SANDBOX_ANNOTATION = 'io.wardian.sandbox';

/** Namespaces that only processes of one kernel can share; of a network because each of its interfaces leads to one machine. */
const SHARED_NAMESPACES = ['pid', 'ipc', 'network'];
const PROCESS_NAMESPACE = /^\/proc\/(\d{1,10})\/ns\//;

/**
 * The container whose sandbox this one joins: because an annotation says so, or because it has the pid, ipc or network
 * namespace of one. Undefined: it gets a sandbox of its own. Fails with CONTAINER_NOT_RUNNING when that container is not there.
 */
export function findSandbox(root: string, id: string, spec: Spec): ContainerState | undefined {
  const named = findNamedSandbox(spec.annotations ?? {});
  if (named !== undefined && named.id !== id) {
    const isThere = existsSync(getContainerFolder(root, named.id).path);
    if (isThere || !named.mayBeMissing) return requireSandbox(root, named.id);
  }
  const pids = (spec.linux?.namespaces ?? []).flatMap(({ type, path = '' }) => {
    const [, pid] = PROCESS_NAMESPACE.exec(path) ?? [];
    return SHARED_NAMESPACES.includes(type) && pid !== undefined ? [Number(pid)] : [];
  });
  return pids.length === 0 ? undefined : findByStub(root, pids);
}

interface NamedSandbox {
  readonly id: string;
  readonly mayBeMissing: boolean;
}

function findNamedSandbox(annotations: Readonly<Record<string, string>>): NamedSandbox | undefined {
  const own = annotations[SANDBOX_ANNOTATION];
  if (own !== undefined) return { id: own, mayBeMissing: false };
  for (const { kind, sandbox, mayBeMissing } of POD_ANNOTATIONS) {
    const id = annotations[kind] === 'container' ? annotations[sandbox] : undefined;
    if (id !== undefined) return { id, mayBeMissing };
  }
  return undefined;
}

function requireSandbox(root: string, id: string): ContainerState {
  const state = followSandbox(root, readState(getContainerFolder(root, id), id));
  const status = getStatus(state);
  if (state.stub !== undefined && status !== 'stopped') return state;
  throw new WardianError('CONTAINER_NOT_RUNNING', `the sandbox "${id}" is ${status}`, {
    hint: 'make and start the first container of the pod before the others',
  });
}

function findByStub(root: string, pids: readonly number[]): ContainerState | undefined {
  for (const id of listContainerIds(root)) {
    const state = readStateIfThere(root, id);
    if (state?.stub === undefined || !pids.includes(state.stub.pid)) continue;
    if (getStatus(state) !== 'stopped') return followSandbox(root, state);
  }
  return undefined;
}

/** One that has itself joined a sandbox leads to the container that the machine belongs to. */
function followSandbox(root: string, state: ContainerState): ContainerState {
  const { sandbox } = state;
  return sandbox === undefined ? state : readState(getContainerFolder(root, sandbox), sandbox);
}

function readStateIfThere(root: string, id: string): ContainerState | undefined {
  try {
    return readState(getContainerFolder(root, id), id);
  } catch (error) {
    // Deleted meanwhile, or damaged: whoever asks for that container itself is told.
    if (error instanceof WardianError) return undefined;
    throw error;
  }
}
