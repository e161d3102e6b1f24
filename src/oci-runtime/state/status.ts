import { isProcessAlive } from '../../host/process-identity.ts';
import {
  type ContainerState,
  type ContainerStatus,
  type OciState,
  SPECIFICATION_VERSION,
} from './container-state.ts';

/** What a container is doing: what is on disk, and whether its stub lives. */
export function getStatus(state: ContainerState): ContainerStatus {
  if (state.phase === 'creating') return isProcessAlive(state.creator) ? 'creating' : 'stopped';
  if (state.stub === undefined || !isProcessAlive(state.stub)) return 'stopped';
  if (state.isPaused) return 'paused';
  return state.phase === 'created' ? 'created' : 'running';
}

/** True for what was left by a command that died while it made a container. */
export function isLeftover(state: ContainerState): boolean {
  return state.phase === 'creating' && !isProcessAlive(state.creator);
}

/** The state as the specification has it; `status` when it is not what the processes say (in hooks). */
export function describeState(
  state: ContainerState,
  status: ContainerStatus = getStatus(state),
): OciState {
  const hasAnnotations = Object.keys(state.annotations).length > 0;
  return {
    ociVersion: SPECIFICATION_VERSION,
    id: state.id,
    pid: status === 'stopped' ? 0 : (state.stub?.pid ?? 0),
    status,
    bundle: state.bundle,
    ...(hasAnnotations && { annotations: state.annotations }),
  };
}
