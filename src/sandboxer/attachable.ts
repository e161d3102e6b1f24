import type { Container } from '../sandbox/container.ts';
import { WardianError } from '../util/errors.ts';
import { STREAM_KIND } from './api.ts';
import type { ServerStream } from './connection/server-connection.ts';
import type { AttachableProcess, ContainerEntry, StartingProcess } from './container-registry.ts';
import { sendTrace } from './streams/send-trace.ts';

/** A container's own process, as long as its sandboxer has been this one. */
export function toAttachable({ container, state, done }: ContainerEntry): AttachableProcess {
  if (container === undefined) throw notRunning(state.name);
  return {
    io: container.io,
    trace: container.trace,
    done,
    disown: () => container.disown(),
    loseOwner: () => container.destroy(),
  };
}

/** A process that was started beside it. */
export function toAttachableExec(container: Container, execId: string): AttachableProcess {
  const io = container.getProcess(execId);
  if (io === undefined) {
    throw new WardianError('CONTAINER_NOT_RUNNING', `process ${execId.slice(0, 12)} has ended`);
  }
  return {
    io,
    done: Promise.resolve(),
    disown: () => container.disown(execId),
    loseOwner: () => container.killExec(execId),
  };
}

/** Tells the client about long steps until the process is there. */
export async function waitForStart(
  { process, listeners, trace }: StartingProcess,
  stream: ServerStream,
): Promise<AttachableProcess> {
  const onProgress = (line: string): void =>
    stream.send(STREAM_KIND.progress, 0, Buffer.from(line));
  listeners.add(onProgress);
  try {
    return await process;
  } finally {
    listeners.delete(onProgress);
    if (trace !== undefined) sendTrace(stream, trace);
  }
}

/** A container that runs under this sandboxer; CONTAINER_NOT_RUNNING otherwise. */
export function getRunning({ container, state }: ContainerEntry): Container {
  if (container?.running === true) return container;
  throw notRunning(state.name);
}

export function notRunning(name: string): WardianError {
  return new WardianError('CONTAINER_NOT_RUNNING', `container ${name} is not running`);
}
