import type { SandboxState } from '../sandbox/sandbox-state.ts';
import type { ContainerDetails, ContainerSummary, RunRequest } from './api.ts';
import type { ContainerEntry } from './container-registry.ts';
import { getSpec } from './requests/container-spec.ts';

/** One line of `ps`. */
export function summarizeContainer({ state }: ContainerEntry): ContainerSummary {
  return {
    id: state.id,
    name: state.name,
    image: state.image.reference,
    imageId: state.image.id,
    command: getSpec(state).process?.args ?? [],
    status: state.status,
    createdAtMs: state.createdAtMs,
    ...(state.startedAtMs === undefined ? {} : { startedAtMs: state.startedAtMs }),
    ...(state.finishedAtMs === undefined ? {} : { finishedAtMs: state.finishedAtMs }),
    ...(state.exit === undefined ? {} : { exitCode: state.exit.exitCode }),
    labels: getRequest(state).labels,
  };
}

/** Everything that `inspect` shows. */
export function describeContainer(
  entry: ContainerEntry,
  place: { readonly logPath: string },
): ContainerDetails {
  const { state } = entry;
  const request = getRequest(state);
  const spec = getSpec(state);
  return {
    ...summarizeContainer(entry),
    state: {
      status: state.status,
      running: state.status === 'running',
      exitCode: state.exit?.exitCode ?? 0,
      outOfMemory: state.exit?.outOfMemory ?? false,
      error: describeEnd(state),
      pid: state.machine?.record.pid ?? 0,
    },
    config: {
      env: spec.process?.env ?? [],
      workingDirectory: spec.process?.cwd ?? '/',
      user: request.user ?? '',
      hostname: spec.hostname ?? '',
      terminal: request.terminal,
      interactive: request.interactive,
      entrypoint: request.entrypoint ?? [],
      stopSignal: state.stopSignal,
      readOnly: request.readOnly,
      tmpfs: request.tmpfs,
      autoRemove: request.autoRemove,
      limits: request.limits,
    },
    sandbox: {
      driver: state.machine?.record.driver ?? '',
      accelerator: state.machine?.accelerator ?? '',
      cpus: state.machine?.cpus ?? 0,
      memoryBytes: state.machine?.memoryBytes ?? 0,
      template: state.machine?.templateKey ?? '',
      kernel: state.machine?.kernelRelease ?? '',
      guest: state.machine?.guest ?? '',
      vmm: state.machine?.vmm ?? '',
      directory: entry.directory,
    },
    execIds: state.execs.map(({ execId }) => execId),
    logPath: place.logPath,
  };
}

function describeEnd(state: SandboxState): string {
  if (state.error !== '') return state.error;
  return state.exit?.outOfMemory === true
    ? 'out of memory: the container needed more than its limit'
    : '';
}

export function getRequest(state: SandboxState): RunRequest {
  return state.request as RunRequest;
}
