import type { AgentClient } from '../agent/agent-client.ts';
import { connectToUnknownAgent } from '../agent/connect.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import { WardianError } from '../util/errors.ts';
import { Container } from './container.ts';
import { ContainerLog } from './container-log.ts';
import { connectOutput, ProcessIo, type StreamOffsets } from './process-io.ts';
import { Sandbox } from './sandbox.ts';
import type { SandboxState } from './sandbox-state.ts';
import type { SandboxServices } from './start-machine.ts';

/** A container whose sandboxer died, as it was written down. */
export interface LeftContainer {
  readonly directory: string;
  readonly state: SandboxState;
  readonly logPath?: string | undefined;
}

export interface AdoptedSandbox {
  /** The sandbox's own. */
  readonly container: Container;
  /** What became of those that had joined it, in their order. */
  readonly joined: readonly (Container | WardianError)[];
}

type ListedContainer = Awaited<ReturnType<AgentClient['listContainers']>>[number];
type ListedProcess = ListedContainer['processes'][number];

/** Takes over a sandbox whose sandboxer died: its machine, its containers and every process in them. */
export async function adoptSandbox(
  services: SandboxServices,
  own: LeftContainer,
  joined: readonly LeftContainer[] = [],
): Promise<AdoptedSandbox> {
  const { machine: found } = own.state;
  if (found === undefined) {
    throw new WardianError('SANDBOX_DIED', 'the sandboxer ended while this container was made');
  }
  const machine = await services.pairs.adopt(found.record);
  try {
    return await adoptContainers(machine, own, joined);
  } catch (error) {
    await machine.kill(); // a machine that nobody can talk to must not stay behind
    throw error;
  }
}

async function adoptContainers(
  machine: VirtualMachine,
  own: LeftContainer,
  joined: readonly LeftContainer[],
): Promise<AdoptedSandbox> {
  let sandbox: Sandbox | undefined;
  const agent = await connectToUnknownAgent(() => machine.openAgentChannel(), {
    onSessionRestarted: () => sandbox?.reconnect(),
  });
  const listed = await agent.listContainers();
  sandbox = new Sandbox(machine, agent);
  const container = await adoptContainer(sandbox, own, listed);
  const others: (Container | WardianError)[] = [];
  for (const one of joined) {
    others.push(
      await adoptContainer(sandbox, one, listed).catch((error: unknown) => {
        if (error instanceof WardianError) return error;
        throw error;
      }),
    );
  }
  return { container, joined: others };
}

async function adoptContainer(
  sandbox: Sandbox,
  { state, directory, logPath }: LeftContainer,
  containers: readonly ListedContainer[],
): Promise<Container> {
  const listed = containers.find(({ id }) => id === state.id);
  const first = listed?.processes.find(({ execId }) => execId === '');
  if (listed === undefined || first === undefined) {
    throw new WardianError('SANDBOX_DIED', 'the guest no longer knows this container');
  }
  if (state.status === 'created' && first.started) {
    state.status = 'running'; // its sandboxer died before it had written that down
    state.startedAtMs ??= Date.now();
  }
  const log = logPath === undefined ? undefined : await ContainerLog.open(logPath);
  const io = new ProcessIo({ containerId: state.id, execId: '' }, getOffsets(first));
  connectOutput(io, log, state.owned);
  const container = new Container({ directory, state, sandbox, io, log });
  adoptExecs(container, listed);
  io.connect(sandbox.agent);
  return container;
}

function adoptExecs(container: Container, listed: ListedContainer): void {
  const known = new Map(container.state.execs.map((exec) => [exec.execId, exec]));
  for (const process of listed.processes) {
    const exec = known.get(process.execId);
    if (exec === undefined) continue;
    const io = new ProcessIo(
      { containerId: listed.id, execId: process.execId },
      getOffsets(process),
    );
    if (exec.owned) io.holdForOwner();
    container.adoptExec(io, exec);
  }
}

function getOffsets(process: ListedProcess): StreamOffsets {
  return {
    stdin: Number(process.stdinAcknowledged),
    stdout: Number(process.stdoutAcknowledged),
    stderr: Number(process.stderrAcknowledged),
  };
}
