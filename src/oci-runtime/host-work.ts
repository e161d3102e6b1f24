import type { Hook, Spec } from '../oci/runtime-spec/types.ts';
import type { CgroupManager } from './runtime-context.ts';
import type { OciState } from './state/container-state.ts';

/** What `createHostCgroups` of cgroups/ is asked for: `(request) => Promise<HostCgroups>`; it undoes itself when it fails. */
export interface HostCgroupRequest {
  readonly id: string;
  /** linux.cgroupsPath and linux.resources are read. */
  readonly spec: Spec;
  readonly manager: CgroupManager;
}

/** What `runHooks` of hooks/ is asked for: `(run) => Promise<void>`; the first that fails is thrown. */
export interface HookRun {
  readonly kind: 'prestart' | 'createRuntime' | 'createContainer' | 'poststart' | 'poststop';
  readonly hooks: readonly Hook[];
  /** What they get on stdin. */
  readonly state: OciState;
  /** Process in whose mount, network, uts and ipc namespaces they run; absent: in ours. */
  readonly namespacesOf?: number;
  /** Where they start: the bundle. */
  readonly workingDirectory: string;
}
