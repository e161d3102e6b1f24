import type { Stub } from '../../host/stub-process.ts';
import { Cleanup } from '../../util/cleanup.ts';
import { clearLeftover } from '../remove/clear-leftover.ts';
import type { ContainerState } from '../state/container-state.ts';
import { removeDrafts } from '../state/state-folder.ts';
import { explainFailure } from './explain-failure.ts';
import { type CreateRequest, Making } from './making.ts';

export interface CreatedContainer {
  readonly state: ContainerState;
  readonly stub: Stub;
}

/**
 * Makes a container, whose process waits for `start`. Whatever fails, everything before it is undone; should this process
 * be killed, the stub dies with it, and the next command clears away what is left.
 */
export async function createContainer(request: CreateRequest): Promise<CreatedContainer> {
  await clearLeftover(request.context, request.id);
  removeDrafts(request.context.root);
  const making = new Making(request);
  const cleanup = new Cleanup();
  try {
    cleanup.defer('poststop hooks', () => making.runPoststop());
    making.makeFolder(cleanup);
    making.makeCgroups(cleanup);
    const stub = await making.startStub(cleanup);
    await making.runHooks('prestart');
    await making.runHooks('createRuntime');
    await making.wireNetwork(cleanup);
    await making.makeInGuest(cleanup);
    await making.runHooks('createContainer');
    await stub.go();
    making.finish();
    return { state: making.state, stub };
  } catch (error) {
    throw explainFailure(await cleanup.fail(error), request.bundle.spec);
  } finally {
    making.close();
  }
}
