import { signalName } from '../../oci/signals.ts';
import type { ContainerDetails } from '../../sandboxer/api.ts';
import { formatTime } from '../output/human.ts';

/** A container as podman's inspect shows one, and its sandbox beside that. */
export function toContainerRecord(details: ContainerDetails): object {
  const { state, config, sandbox } = details;
  return {
    Id: details.id,
    Created: formatTime(details.createdAtMs),
    Path: details.command[0] ?? '',
    Args: details.command.slice(1),
    State: {
      Status: state.status,
      Running: state.running,
      Paused: false,
      OOMKilled: state.outOfMemory,
      Dead: false,
      Pid: state.pid,
      ExitCode: state.exitCode,
      Error: state.error,
      StartedAt: formatTime(details.startedAtMs),
      FinishedAt: formatTime(details.finishedAtMs),
    },
    Image: details.imageId,
    ImageName: details.image,
    Name: details.name,
    LogPath: details.logPath,
    ExecIDs: details.execIds,
    Config: {
      Hostname: config.hostname,
      User: config.user,
      Tty: config.terminal,
      OpenStdin: config.interactive,
      Env: config.env,
      Cmd: details.command,
      Entrypoint: config.entrypoint,
      WorkingDir: config.workingDirectory,
      Labels: details.labels,
      StopSignal: signalName(config.stopSignal),
    },
    HostConfig: {
      AutoRemove: config.autoRemove,
      Memory: config.limits.memoryBytes ?? 0,
      NanoCpus: Math.round((config.limits.cpus ?? 0) * 1e9),
      PidsLimit: config.limits.pids ?? 0,
      ReadonlyRootfs: config.readOnly,
      NetworkMode: 'none',
      Tmpfs: Object.fromEntries(config.tmpfs.map((mount) => [mount.destination, mount.options])),
    },
    Sandbox: {
      Driver: sandbox.driver,
      Accelerator: sandbox.accelerator,
      Cpus: sandbox.cpus,
      Memory: sandbox.memoryBytes,
      Template: sandbox.template,
      Kernel: sandbox.kernel,
      Guest: sandbox.guest,
      Vmm: sandbox.vmm,
      Directory: sandbox.directory,
    },
  };
}
