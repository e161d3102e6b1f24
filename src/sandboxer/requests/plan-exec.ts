import type { ImageStore } from '../../image/image-store.ts';
import { buildExecProcess } from '../../oci/container/exec-process.ts';
import type { UserDatabase } from '../../oci/user-database.ts';
import type { ExecPlan } from '../../sandbox/execs.ts';
import type { SandboxState } from '../../sandbox/sandbox-state.ts';
import type { ExecRequest } from '../api.ts';
import { getSpec } from './container-spec.ts';

/** Decides what process an exec request means in its container. */
export async function planExec(
  request: ExecRequest,
  state: SandboxState,
  images: ImageStore,
): Promise<ExecPlan> {
  // Names are looked up in the image; without --user nobody asks, and exec saves the reading.
  const users = request.user === undefined ? NO_USERS : await findUsers(state, images);
  return {
    execId: request.execId,
    process: buildExecProcess(getSpec(state), request, users),
    owned: !request.detached,
  };
}

const NO_USERS: UserDatabase = { passwd: '', group: '' };

async function findUsers(state: SandboxState, images: ImageStore): Promise<UserDatabase> {
  try {
    return await images.find(state.image.id);
  } catch {
    return NO_USERS; // the image was removed by force: numbers still work
  }
}
