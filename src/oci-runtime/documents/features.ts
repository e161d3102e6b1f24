import { CAPABILITY_NAMES } from '../../oci/capabilities.ts';
import { SECCOMP_FLAGS, SECCOMP_OPERATORS } from '../../oci/runtime-spec/types.ts';
import { SUPPORTED_ACTIONS } from '../../oci/seccomp/actions.ts';
import { listMountWords } from '../../oci/translate/mount-options.ts';
import { SPECIFICATION_VERSION } from '../state/container-state.ts';

/**
 * What this runtime can do, in the form of runtime-spec 1.2 (features.md, features-linux.md). Taken from the tables that
 * the code works with. Cgroups are those of the host; a guest has version 2 alone.
 */
export function describeFeatures(version: string): object {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: SPECIFICATION_VERSION,
    hooks: [
      ...[
        'prestart',
        'createRuntime',
        'createContainer',
        'startContainer',
        'poststart',
        'poststop',
      ],
    ],
    mountOptions: listMountWords(),
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'uts'],
      capabilities: CAPABILITY_NAMES,
      // Paths in systemd's form are understood, and made without it: its manager is not spoken to.
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
      seccomp: {
        enabled: true,
        actions: SUPPORTED_ACTIONS,
        operators: SECCOMP_OPERATORS,
        archs: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
        knownFlags: SECCOMP_FLAGS,
        supportedFlags: SECCOMP_FLAGS,
      },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
    },
    annotations: { 'org.wardian.version': version },
  };
}
