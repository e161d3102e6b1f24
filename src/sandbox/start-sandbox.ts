import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { AgentClient } from '../agent/agent-client.ts';
import type { StartResponse } from '../agent/generated/agent_pb.ts';
import { removeTree } from '../host/remove-tree.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import { explainBootFailure } from '../template/boot-failure.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import type { Trace } from '../util/trace.ts';
import { ContainerLog } from './container-log.ts';
import type { ContainerPlan } from './container-plan.ts';
import { startFailure } from './exec-failure.ts';
import { ProcessIo, STREAM_START } from './process-io.ts';
import { Sandbox } from './sandbox.ts';
import {
  type MachineState,
  type SandboxState,
  sandboxDirectory,
  writeSandboxState,
} from './sandbox-state.ts';
import {
  type SandboxServices,
  type StartedMachine,
  type StartOptions,
  startMachine,
} from './start-machine.ts';

/** The root disk's number in the agent's count (protocol/agent.proto, Layer). */
const ROOT_DISK = 0;
/** Seed of a clone's random number generator: as much as the kernel's pool takes at once. */
const ENTROPY_BYTES = 64;

/** From a plan to a running container. On failure nothing is left: no machine, folder, or log. */
export async function startSandbox(
  services: SandboxServices,
  plan: ContainerPlan,
  options: StartOptions = {},
): Promise<Sandbox> {
  const { trace } = options;
  const cleanup = new Cleanup();
  try {
    const directory = makeDirectory(services, plan, cleanup);
    const opening = openLog(plan, cleanup);
    cleanup.defer('log that is being opened', () => opening.then(doNothing, doNothing));
    let sandbox: Sandbox | undefined;
    const started = await startMachine(services, plan, {
      ...options,
      directory,
      onSessionRestarted: () => sandbox?.reconnect(),
    });
    const { machine, agent, pair } = started;
    const machineFolder = machine.record.directory;
    cleanup.defer('machine folder', () => removeTree(machineFolder));
    cleanup.defer('virtual machine', () => machine.kill());
    const state = describeState(plan, started);
    const saved = writeSandboxState(directory, { ...state, status: 'created' });
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
    await writeSandboxState(directory, state);
    trace?.mark('sandboxer', 'state written');
    sandbox = new Sandbox({ directory, state, machine, agent, io, log, trace });
    return sandbox;
  } catch (error) {
    const failure = await cleanup.fail(error);
    trace?.mark('sandboxer', 'failed, nothing left');
    throw failure;
  }
}

function makeDirectory(services: SandboxServices, plan: ContainerPlan, cleanup: Cleanup): string {
  const directory = sandboxDirectory(services.runtimeDirectory, plan.id);
  mkdirSync(path.dirname(directory), { recursive: true, mode: 0o711 });
  mkdirSync(directory, { mode: 0o711 });
  cleanup.defer('sandbox folder', () => removeTree(directory));
  return directory;
}

function describeState(
  plan: ContainerPlan,
  { machine, templateKey, pair }: StartedMachine,
): SandboxState {
  const machineState: MachineState = {
    record: machine.record,
    accelerator: pair.driver.accelerator,
    cpus: plan.size.cpus,
    memoryBytes: plan.size.memoryBytes,
    templateKey,
    kernelRelease: pair.guest.kernelRelease,
    guest: pair.guest.name,
    vmm: `${pair.vmm}: ${pair.vmmVersion}`,
  };
  const now = Date.now();
  return {
    version: 1,
    id: plan.id,
    name: plan.name,
    image: { reference: plan.image.reference, id: plan.image.id },
    createdAtMs: now,
    startedAtMs: now,
    request: plan.request,
    spec: plan.spec,
    stopSignal: plan.stopSignal,
    machine: machineState,
    owned: plan.owned,
    status: 'running',
    error: '',
    execs: [],
  };
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

/** Brings output to the log, and holds it for an owner that is expected. */
export function connectOutput(
  io: ProcessIo,
  log: ContainerLog | undefined,
  awaitsOwner: boolean,
): void {
  if (awaitsOwner) io.holdForOwner();
  if (log === undefined) return;
  for (const name of ['stdout', 'stderr'] as const) {
    io[name].addSink(log.createSink(name, io[name]), log.getPosition(name));
  }
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
  const died = machine.exited.then(({ reason }) => {
    throw new WardianError('SANDBOX_DIED', `the virtual machine ended while it started: ${reason}`);
  });
  const result = await Promise.race([requestContainer(start), died]);
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
  const personalized = agent.personalize({
    entropy: randomBytes(ENTROPY_BYTES),
    realtimeNanoseconds: BigInt(Date.now()) * 1_000_000n,
    hostname: plan.hostname,
    interfaces: [], // without a network there is none to see, nor a MAC address to change
  });
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
