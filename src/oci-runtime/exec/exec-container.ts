import { createId } from '../../host/random-id.ts';
import { type Stub, startStub } from '../../host/stub-process.ts';
import { SOCKET_NAME } from '../../sandboxer/api.ts';
import { Cleanup } from '../../util/cleanup.ts';
import { buildStubArgv } from '../create/stub-arguments.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import { SandboxerCalls } from '../sandboxer/sandboxer-calls.ts';
import { buildSandboxerEnvironment } from '../sandboxer/sandboxer-start.ts';
import type { ContainerState } from '../state/container-state.ts';
import { recordExec } from '../state/exec-records.ts';
import { getContainerFolder, PUBLIC_FILE_MODE, replaceFile } from '../state/state-folder.ts';
import type { ExecProcess } from './build-process.ts';

export interface ExecRequest {
  readonly context: RuntimeContext;
  readonly state: ContainerState;
  readonly process: ExecProcess;
  readonly pidFile: string | undefined;
  readonly consoleSocket: string | undefined;
  readonly isDetached: boolean;
}

/** Runs one more process in a container, with a stub of its own; undoes everything when that fails. */
export async function execInContainer(request: ExecRequest): Promise<Stub> {
  const { context, state, process: program, pidFile } = request;
  const execId = createId();
  const sandboxer = new SandboxerCalls(context, state.key);
  const cleanup = new Cleanup();
  try {
    const stub = startExecStub(request, execId);
    cleanup.defer('stub', () => endStub(stub));
    await stub.ready;
    await sandboxer.call('execContainer', {
      container: state.key,
      execId,
      process: program.json,
      stub: { pid: stub.pid, startTicks: stub.startTime },
    });
    await stub.go();
    recordExec(getContainerFolder(context.root, state.id), stub);
    if (pidFile !== undefined) replaceFile(pidFile, String(stub.pid), PUBLIC_FILE_MODE);
    return stub;
  } catch (error) {
    throw await cleanup.fail(error);
  } finally {
    sandboxer.close();
  }
}

function startExecStub(request: ExecRequest, execId: string): Stub {
  const { context, state, process: program, consoleSocket, isDetached } = request;
  const argv = buildStubArgv({
    socketPath: `${context.directories.runtime}/${SOCKET_NAME}`,
    key: state.key,
    execId,
    cgroups: state.cgroups.directories,
    terminal: program.terminal,
    isDetached,
    consoleSocket,
    size: program.size,
    sandboxerArgv: [process.execPath, context.sandboxerPath],
  });
  const environment = buildSandboxerEnvironment(context, state.key);
  return startStub({ stubPath: context.stubPath, argv, environment });
}

async function endStub(stub: Stub): Promise<void> {
  if (stub.pid === 0) return; // It could not be started.
  stub.kill('SIGKILL');
  await stub.exited;
}
