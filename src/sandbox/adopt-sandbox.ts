import type { AgentClient } from '../agent/agent-client.ts';
import { connectToUnknownAgent } from '../agent/connect.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import { WardianError } from '../util/errors.ts';
import { ContainerLog } from './container-log.ts';
import { ProcessIo, type StreamOffsets } from './process-io.ts';
import { Sandbox } from './sandbox.ts';
import type { SandboxState } from './sandbox-state.ts';
import type { SandboxServices } from './start-machine.ts';
import { connectOutput } from './start-sandbox.ts';

export interface AdoptOptions {
  readonly directory: string;
  readonly logPath: string | undefined;
  readonly signal?: AbortSignal;
}

type ListedContainer = Awaited<ReturnType<AgentClient['listContainers']>>[number];
type ListedProcess = ListedContainer['processes'][number];

/** Takes over a sandbox whose sandboxer died: its machine, its container and every process in it. */
export async function adoptSandbox(
  services: SandboxServices,
  state: SandboxState,
  options: AdoptOptions,
): Promise<Sandbox> {
  if (state.machine === undefined) {
    throw new WardianError('SANDBOX_DIED', 'the sandboxer ended while this container was made');
  }
  const machine = await services.pairs.adopt(state.machine.record);
  try {
    return await adoptContainer(machine, state, options);
  } catch (error) {
    await machine.kill(); // a machine that nobody can talk to must not stay behind
    throw error;
  }
}

async function adoptContainer(
  machine: VirtualMachine,
  state: SandboxState,
  options: AdoptOptions,
): Promise<Sandbox> {
  let sandbox: Sandbox | undefined;
  const agent = await connectToUnknownAgent(() => machine.openAgentChannel(), {
    onSessionRestarted: () => sandbox?.reconnect(),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const containers = await agent.listContainers();
  const listed = containers.find(({ id }) => id === state.id);
  const first = listed?.processes.find(({ execId }) => execId === '');
  if (listed === undefined || first === undefined) {
    throw new WardianError('SANDBOX_DIED', 'the guest no longer knows this container');
  }
  const log = options.logPath === undefined ? undefined : await ContainerLog.open(options.logPath);
  const io = new ProcessIo({ containerId: state.id, execId: '' }, getOffsets(first));
  connectOutput(io, log, state.owned);
  const { directory } = options;
  sandbox = new Sandbox({ directory, state, machine, agent, io, log });
  adoptExecs(sandbox, listed);
  io.connect(agent);
  return sandbox;
}

function adoptExecs(sandbox: Sandbox, listed: ListedContainer): void {
  const known = new Map(sandbox.state.execs.map((exec) => [exec.execId, exec]));
  for (const process of listed.processes) {
    const exec = known.get(process.execId);
    if (exec === undefined) continue;
    const io = new ProcessIo(
      { containerId: listed.id, execId: process.execId },
      getOffsets(process),
    );
    if (exec.owned) io.holdForOwner();
    sandbox.adoptExec(io, exec.owned);
  }
}

function getOffsets(process: ListedProcess): StreamOffsets {
  return {
    stdin: Number(process.stdinAcknowledged),
    stdout: Number(process.stdoutAcknowledged),
    stderr: Number(process.stderrAcknowledged),
  };
}
