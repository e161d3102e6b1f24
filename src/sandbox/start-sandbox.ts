import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { AgentClient } from '../agent/agent-client.ts';
import type { StartResponse } from '../agent/generated/agent_pb.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import { explainBootFailure } from '../template/boot-failure.ts';
import { Cleanup } from '../util/cleanup.ts';
import type { Trace } from '../util/trace.ts';
import { Container } from './container.ts';
import { ContainerLog } from './container-log.ts';
import type { ContainerPlan } from './container-plan.ts';
import { startFailure } from './exec-failure.ts';
import {
  acquireMachine,
  describeState,
  makeDirectory,
  orDied,
  personalize,
} from './prepare-container.ts';
import { connectOutput, ProcessIo, STREAM_START } from './process-io.ts';
import { Sandbox } from './sandbox.ts';
import { writeSandboxState } from './sandbox-state.ts';
import type { SandboxServices, StartOptions } from './start-machine.ts';

/** The root disk's number in the agent's count (protocol/agent.proto, Layer). */
const ROOT_DISK = 0;

/** From a plan to a running container in a sandbox of its own. On failure nothing is left: no machine, folder, or log. */
export async function startSandbox(
  services: SandboxServices,
  plan: ContainerPlan,
  options: StartOptions = {},
): Promise<Container> {
  const { trace } = options;
  const cleanup = new Cleanup();
  try {
    const directory = makeDirectory(services, plan, cleanup);
    const opening = openLog(plan, cleanup);
    cleanup.defer('log that is being opened', () => opening.then(doNothing, doNothing));
    let sandbox: Sandbox | undefined;
    const started = await acquireMachine(services, plan, {
      ...options,
      directory,
      cleanup,
      onSessionRestarted: () => sandbox?.reconnect(),
    });
    const { machine, agent, pair } = started;
    const state = describeState(plan, started);
    const saved = writeSandboxState(directory, state);
    saved.catch(() => {}); // awaited below, after what may fail before it
    const log = await opening;
    const io = new ProcessIo({ containerId: plan.id, execId: '' }, STREAM_START);
    connectOutput(io, log, plan.owned);
    try {
      await startContainer({ plan, machine, agent, io, trace });
    } catch (error) {
      throw await explainBootFailure(error, machine, pair.guest);
    }
    await saved;
    Object.assign(state, { status: 'running', startedAtMs: state.createdAtMs });
    await writeSandboxState(directory, state);
    trace?.mark('sandboxer', 'state written');
    sandbox = new Sandbox(machine, agent);
    return new Container({ directory, state, sandbox, io, log, trace });
  } catch (error) {
    const failure = await cleanup.fail(error);
    trace?.mark('sandboxer', 'failed, nothing left');
    throw failure;
  }
}

async function openLog(plan: ContainerPlan, cleanup: Cleanup): Promise<ContainerLog | undefined> {
  const { logPath } = plan;
  if (logPath === undefined) return undefined;
  await mkdir(path.dirname(logPath), { recursive: true, mode: 0o700 });
  const log = await ContainerLog.open(logPath);
  cleanup.defer('container log', async () => {
    await log.close();
    await rm(logPath, { force: true });
  });
  return log;
}

interface ContainerStart {
  readonly plan: ContainerPlan;
  readonly machine: VirtualMachine;
  readonly agent: AgentClient;
  readonly io: ProcessIo;
  readonly trace: Trace | undefined;
}

function doNothing(): void {}

/** Starts the container unless its machine ends first. */
async function startContainer(start: ContainerStart): Promise<void> {
  const { plan, machine } = start;
  const result = await orDied(machine, requestContainer(start));
  if (result.execErrno !== 0) throw startFailure(plan.guest.process.args[0] ?? '', result);
  start.trace?.mark('guest', 'process started');
}

/** Sends everything that the agent needs at once: one journey, not five. A trace waits, to hear of each by itself. */
async function requestContainer({
  plan,
  agent,
  io,
  trace,
}: ContainerStart): Promise<StartResponse> {
  const personalized = personalize(agent, plan);
  if (trace !== undefined) {
    await personalized;
    trace.mark('guest', 'agent answers');
  }
  const created = agent.createContainer({
    ...plan.guest,
    id: plan.id,
    rootfs: { ...plan.guest.rootfs, layers: [{ lun: ROOT_DISK, type: 'erofs', data: '' }] },
  });
  if (trace !== undefined) {
    await created;
    trace.mark('guest', 'container created');
  }
  const started = agent.startContainer({ id: plan.id });
  io.connect(agent);
  const [, , result] = await Promise.all([personalized, created, started]);
  return result;
}
