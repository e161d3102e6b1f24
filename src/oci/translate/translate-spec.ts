import type {
  GuestContainer,
  GuestFile,
  GuestHook,
  GuestJoin,
  GuestKeyValue,
  GuestLayer,
} from '../guest-operations.ts';
import type { Hook, Linux, Process, Spec } from '../runtime-spec/types.ts';
import { translateResources } from './cgroup-files.ts';
import { translateDevices } from './devices.ts';
import { type BindSource, translateMounts, translateRootfsPropagation } from './mounts.ts';
import { DEFAULT_NEW_NAMESPACES, type NewNamespace, translateNamespaces } from './namespaces.ts';
import { translateSharedMemory } from './shared-memory.ts';
import { translateProcess } from './translate-process.ts';
import { invalid, unsupported } from './unsupported.ts';

/** What a specification does not say and the sandbox does. */
export interface TranslationPolicy {
  id: string;
  /** Top first. */
  layers: GuestLayer[];
  /** The root file system as a folder of the share, instead of layers. */
  folder?: string;
  /** Size of the tmpfs that takes the writes; absent: the guest kernel's default. */
  writableBytes?: bigint;
  /** Keep the first process's stdin open. */
  stdin: boolean;
  files?: GuestFile[];
  /** Of the namespaces that the specification lists, those to make anew; the rest is the sandbox's. */
  newNamespaces?: readonly NewNamespace[];
  /** Where the sources of bind mounts are in the guest; absent: nowhere, and they are refused. */
  bindSource?: BindSource;
  /** Namespaces of another container of the sandbox, instead of new ones. */
  joins?: GuestJoin[];
  /** Size of the tmpfs that an engine binds to /dev/shm, which one of the guest replaces. */
  sharedMemoryBytes?: bigint | undefined;
  /** What hooks in the guest get on stdin. */
  hookState?: string;
}

/**
 * Turns a specification into what the agent carries out. Pure: nothing is looked up, all is decided here.
 * Fails with SPEC_INVALID, or SPEC_UNSUPPORTED for what a sandbox cannot mean (docs/limits.md).
 */
export function translateSpec(spec: Spec, policy: TranslationPolicy): GuestContainer {
  const linux = spec.linux ?? {};
  checkSupported(linux);
  const allowed = policy.newNamespaces ?? DEFAULT_NEW_NAMESPACES;
  const { seccomp, personality } = linux;
  const surroundings = { stdin: policy.stdin, seccomp, personality };
  const joins = policy.joins ?? [];
  return {
    id: policy.id,
    rootfs: {
      layers: policy.layers,
      readOnly: spec.root?.readonly ?? false,
      writableBytes: policy.writableBytes ?? 0n,
      folder: policy.folder ?? '',
    },
    process: translateProcess(requireProcess(spec), surroundings),
    namespaces: translateNamespaces(linux, { allowed, joins }),
    hostname: spec.hostname ?? '',
    mounts: translateSharedMemory(
      translateMounts(spec.mounts ?? [], policy.bindSource ?? (() => undefined)),
      { joins, sharedMemoryBytes: policy.sharedMemoryBytes },
    ),
    files: policy.files ?? [],
    devices: translateDevices(linux.devices ?? []),
    maskedPaths: linux.maskedPaths ?? [],
    readonlyPaths: linux.readonlyPaths ?? [],
    sysctls: translateSysctls(linux.sysctl ?? {}, spec.domainname),
    cgroupFiles: translateResources(linux.resources ?? {}),
    rootfsPropagation: translateRootfsPropagation(linux.rootfsPropagation),
    joins,
    startHooks: translateHooks(spec.hooks?.startContainer ?? [], policy.hookState ?? ''),
  };
}

function requireProcess({ process }: Spec): Process {
  if (process === undefined) throw invalid('process', 'is missing: there is nothing to run');
  return process;
}

function checkSupported(linux: Linux): void {
  if ((linux.uidMappings ?? linux.gidMappings ?? []).length > 0) {
    throw unsupported('linux.uidMappings', 'user ids are not mapped: the machine is the boundary');
  }
  if (Object.keys(linux.timeOffsets ?? {}).length > 0) {
    throw unsupported('linux.timeOffsets', 'there are no time namespaces in a sandbox');
  }
  if (linux.intelRdt !== undefined) {
    throw unsupported('linux.intelRdt', 'the caches are those of the host');
  }
  if (Object.keys(linux.netDevices ?? {}).length > 0) {
    throw unsupported('linux.netDevices', 'interfaces of the host are wired, not moved');
  }
  if (linux.memoryPolicy !== undefined) {
    throw unsupported('linux.memoryPolicy', 'the memory nodes are those of the host');
  }
}

/** Only the hooks of this stage run in the guest; those of the others are the caller's. */
function translateHooks(hooks: readonly Hook[], state: string): GuestHook[] {
  const input = Buffer.from(state);
  return hooks.map(({ path, args = [], env = [], timeout = 0 }) => ({
    ...{ path, args, env, input },
    timeoutMilliseconds: timeout * 1000,
  }));
}

/** The kernel is the sandbox's own, so every sysctl may be set; only the name must stay below /proc/sys. */
function translateSysctls(
  sysctl: Record<string, string>,
  domainname: string | undefined,
): GuestKeyValue[] {
  const sysctls = Object.entries(sysctl).map(([key, value]) => {
    if (key.split(/[./]/).includes('')) throw invalid(`linux.sysctl["${key}"]`, 'is not a sysctl');
    return { key, value };
  });
  if (domainname !== undefined) sysctls.push({ key: 'kernel.domainname', value: domainname });
  return sysctls;
}
