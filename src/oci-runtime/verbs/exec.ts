import { readFileSync } from 'node:fs';
import { WardianError } from '../../util/errors.ts';
import { checkConsole, refuseDescriptors } from '../create/create-flags.ts';
import { buildProcess, type ExecProcess, readProcessText } from '../exec/build-process.ts';
import { execInContainer } from '../exec/exec-container.ts';
import { toAbsolute } from '../paths.ts';
import type { Verb, VerbCall } from '../runtime-context.ts';
import { SignalRelay } from '../start/signal-relay.ts';
import type { ContainerState } from '../state/container-state.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';
import { getStatus } from '../state/status.ts';

/** `exec ID COMMAND...` or `exec --process FILE ID`: one more process; its exit code unless it is detached. */
export const exec: Verb = async (call) => {
  const { flags, operands, context } = call;
  const [id = ''] = operands;
  refuseDescriptors(flags.getNumber('preserve-fds'));
  const state = readState(getContainerFolder(context.root, id), id);
  checkRunning(state, flags.isSet('ignore-paused'));
  const process = readProcess(call);
  const resolve = (name: string): string | undefined => {
    const given = flags.getText(name);
    return given ? toAbsolute(given, context.workingDirectory) : undefined;
  };
  const consoleSocket = resolve('console-socket');
  const isDetached = flags.isSet('detach');
  checkConsole({ terminal: process.terminal, consoleSocket }, { isDetached });
  const pidFile = resolve('pid-file');
  const relay = new SignalRelay(context.signals);
  try {
    const streams = { pidFile, consoleSocket, isDetached };
    const stub = await execInContainer({ context, state, process, ...streams });
    relay.passOnTo(stub);
    return isDetached ? 0 : await stub.exited;
  } finally {
    relay.stop();
  }
};

function checkRunning(state: ContainerState, mayBePaused: boolean): void {
  const status = getStatus(state);
  // Kubernetes and others prepare containers that wait for their start.
  if (status === 'running' || status === 'created' || (status === 'paused' && mayBePaused)) return;
  throw new WardianError(
    'CONTAINER_NOT_RUNNING',
    `cannot exec in container "${state.id}": it is ${status}: container not running`,
    { hint: status === 'paused' ? 'resume it first' : 'start a container first' },
  );
}

function readProcess({ flags, operands: [id = '', ...command], context }: VerbCall): ExecProcess {
  const file = flags.getText('process');
  if (file !== undefined) {
    return readProcessText(readFileSync(toAbsolute(file, context.workingDirectory), 'utf8'), flags);
  }
  const { config } = getContainerFolder(context.root, id);
  return buildProcess(readFileSync(config, 'utf8'), command, flags);
}
