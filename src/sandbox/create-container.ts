import { explainBootFailure } from '../template/boot-failure.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import { Container } from './container.ts';
import type { ContainerPlan } from './container-plan.ts';
import {
  acquireMachine,
  describeState,
  makeDirectory,
  orDied,
  personalize,
} from './prepare-container.ts';
import { ProcessIo, STREAM_START } from './process-io.ts';
import { Sandbox } from './sandbox.ts';
import { type SandboxState, writeSandboxState } from './sandbox-state.ts';
import type { SandboxServices, StartOptions } from './start-machine.ts';

/** A container whose process waits for its start, and that process in the guest. */
export interface CreatedContainer {
  readonly container: Container;
  readonly pid: number;
}

/** Makes a sandbox and its container up to before its process runs. On failure nothing is left. */
export async function createSandbox(
  services: SandboxServices,
  plan: ContainerPlan,
  options: StartOptions = {},
): Promise<CreatedContainer> {
  const cleanup = new Cleanup();
  try {
    const directory = makeDirectory(services, plan, cleanup);
    let sandbox: Sandbox | undefined;
    const started = await acquireMachine(services, plan, {
      ...options,
      directory,
      cleanup,
      onSessionRestarted: () => sandbox?.reconnect(),
    });
    const { machine, agent, pair } = started;
    const state = describeState(plan, started);
    await writeSandboxState(directory, state);
    sandbox = new Sandbox(machine, agent);
    const personalized = personalize(agent, plan);
    const { network } = plan;
    const connected = network && agent.configureNetwork(network.configuration);
    const io = makeIo(plan);
    const created = agent.createContainer({ ...plan.guest, id: plan.id });
    io.connect(agent);
    const made = Promise.all([created, personalized, connected]);
    const [pid] = await orDied(machine, made).catch(async (error: unknown) => {
      throw await explainBootFailure(error, machine, pair.guest);
    });
    throwIfCancelled(options);
    return { container: new Container({ directory, state, sandbox, io }), pid };
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

/** Makes one more container in a sandbox. On failure the sandbox is as it was. */
export async function joinSandbox(
  services: SandboxServices,
  { sandbox, signal }: StartOptions & { readonly sandbox: Sandbox },
  plan: ContainerPlan,
): Promise<CreatedContainer> {
  const cleanup = new Cleanup();
  const { machine, agent } = sandbox;
  try {
    const directory = makeDirectory(services, plan, cleanup);
    const state: SandboxState = describeState(plan);
    await writeSandboxState(directory, state);
    const io = makeIo(plan);
    cleanup.defer('container in the guest', () => forget(sandbox, plan.id));
    const created = agent.createContainer({ ...plan.guest, id: plan.id });
    io.connect(agent);
    const pid = await orDied(machine, created);
    throwIfCancelled({ signal });
    return { container: new Container({ directory, state, sandbox, io }), pid };
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

/** Nobody waits for it any more, so nobody would ever delete it. */
function throwIfCancelled({ signal }: { readonly signal?: AbortSignal | undefined }): void {
  if (signal?.aborted) throw new WardianError('CANCELLED', 'the start was cancelled');
}

/** The output waits for the stub. */
function makeIo({ id }: ContainerPlan): ProcessIo {
  const io = new ProcessIo({ containerId: id, execId: '' }, STREAM_START);
  io.holdForOwner();
  return io;
}

async function forget({ agent, isEnding }: Sandbox, id: string): Promise<void> {
  if (isEnding) return;
  await agent.deleteContainer({ id }).catch(() => {}); // it failed before it was made
}
