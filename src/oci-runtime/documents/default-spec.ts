import { MASKED_PATHS, READONLY_PATHS } from '../../oci/container/build-spec.ts';
import { DEFAULT_MOUNTS } from '../../oci/container/default-mounts.ts';
import type { Mount, Spec } from '../../oci/runtime-spec/types.ts';
import { SPECIFICATION_VERSION } from '../state/container-state.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];

/**
 * A specification to begin with: a shell on a terminal, in the folder `rootfs` of its bundle. Who is not root has no
 * network namespace to give, and gets the one that the machine has.
 */
export function buildDefaultSpec({ isRootless }: { isRootless: boolean }): Spec {
  const namespaces = (['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'] as const).filter(
    (type) => !(isRootless && type === 'network'),
  );
  return {
    ociVersion: SPECIFICATION_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: [`PATH=${PATH}`, 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024n, hard: 1024n }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'wardian',
    mounts: DEFAULT_MOUNTS.map(makePortable),
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      maskedPaths: [...MASKED_PATHS],
      readonlyPaths: [...READONLY_PATHS],
    },
  };
}

/** "cgroup" is what every runtime understands, whichever version it has. */
function makePortable(mount: Mount): Mount {
  return mount.type === 'cgroup2' ? { ...mount, type: 'cgroup', source: 'cgroup' } : mount;
}
