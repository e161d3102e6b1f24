import type { Spec } from '../../oci/runtime-spec/types.ts';
import type { Bind } from '../bundle/list-binds.ts';

/** What every stub is told, that of a container and that of another process in one. */
export interface StubTarget {
  readonly socketPath: string;
  /** The container's id at the sandboxer. */
  readonly key: string;
  readonly execId?: string;
  readonly cgroups: readonly string[];
  readonly terminal: boolean;
  /** Nobody of ours waits for its end: it must not come before we have left. */
  readonly isDetached: boolean;
  readonly consoleSocket?: string | undefined;
  readonly size?: { readonly height: number; readonly width: number } | undefined;
  /** What starts a sandboxer, should there be none. */
  readonly sandboxerArgv: readonly string[];
}

/** What the stub of a container holds besides. */
export interface StubShare {
  readonly directory: string;
  readonly folder: string;
  /** Mount namespace of the container whose share this one joins. */
  readonly joinedNamespace?: string | undefined;
  readonly rootfs: string;
  readonly binds: readonly Bind[];
}

/** The stub's command line (docs/stub.md). */
export function buildStubArgv(
  target: StubTarget,
  container?: { readonly share: StubShare; readonly spec: Spec },
): string[] {
  const { execId, consoleSocket, size } = target;
  return [
    ...['--socket', target.socketPath, '--container', target.key],
    ...(execId === undefined ? [] : ['--exec', execId]),
    ...target.cgroups.flatMap((directory) => ['--cgroup', directory]),
    ...(target.terminal ? ['--terminal'] : []),
    ...(target.isDetached ? ['--detached'] : []),
    ...(consoleSocket === undefined ? [] : ['--console-socket', consoleSocket]),
    ...(size === undefined ? [] : ['--rows', String(size.height), '--columns', String(size.width)]),
    ...(container === undefined ? [] : describeNamespaces(container.spec)),
    ...(container === undefined ? [] : describeShare(container.share)),
    '--',
    ...target.sandboxerArgv,
  ];
}

/** Namespaces that the stub stands in so that engines find them at its pid; the process's own are in the guest. */
function describeNamespaces({ linux }: Spec): string[] {
  return (['network', 'uts', 'ipc', 'cgroup'] as const).flatMap((type) => {
    const namespace = linux?.namespaces?.find((candidate) => candidate.type === type);
    if (namespace === undefined) return [];
    if (namespace.path === undefined || namespace.path === '') return [`--new-${type}`];
    return [`--${type}-namespace`, namespace.path];
  });
}

function describeShare(share: StubShare): string[] {
  const { joinedNamespace } = share;
  return [
    ...['--share', share.directory, '--folder', share.folder],
    ...(joinedNamespace === undefined ? [] : ['--share-namespace', joinedNamespace]),
    ...['--rootfs', share.rootfs],
    ...share.binds.flatMap((bind) => [nameFlag(bind), `${bind.name}=${bind.path}`]),
    ...share.binds.flatMap(({ name, destination }) => ['--place', `${name}=${destination}`]),
  ];
}

function nameFlag({ isOverlay, isRecursive, isReadOnly }: Bind): string {
  if (isOverlay) return '--overlay';
  return `--bind${isRecursive ? '-recursive' : ''}${isReadOnly ? '-readonly' : ''}`;
}
