import type { NetworkConfig } from '../machine/network-config.ts';
import type { StubProcess } from '../sandbox/sandbox-state.ts';
import type { ContainerReference, EmptyResponse, ExecResponse } from './api-basics.ts';

export type { StubProcess } from '../sandbox/sandbox-state.ts';

/**
 * What the OCI runtime asks of the sandboxer: containers of an engine, made from a bundle. Each of their processes has
 * a stub on the host, which attaches as its owner; when the stub has gone, so does the process.
 */
export interface EngineMethods {
  /** Makes the sandbox, unless another container's is joined, and the container, whose process waits for its start. */
  createContainer: { request: CreateContainerRequest; response: { pid: number } };
  /** Runs the hooks of the guest, then the process. Fails with COMMAND_NOT_FOUND and its like. */
  startContainer: { request: ContainerReference; response: EmptyResponse };
  /** Ends what is left of it and forgets it; one that is unknown is no error. */
  deleteContainer: { request: ContainerReference; response: EmptyResponse };
  /** One more process, which runs when this is answered; its stub attaches with `execId`. */
  execContainer: { request: ExecContainerRequest; response: ExecResponse };
  pauseContainer: { request: ContainerReference; response: EmptyResponse };
  resumeContainer: { request: ContainerReference; response: EmptyResponse };
  /** `resources`: JSON of the specification's linux.resources. Fails with SPEC_UNSUPPORTED beyond the machine's size. */
  updateContainer: {
    request: ContainerReference & { resources: string };
    response: EmptyResponse;
  };
}

export interface CreateContainerRequest {
  /** 64 hex digits. */
  id: string;
  /** What people call it: the engine's id. */
  name: string;
  /** Text of config.json. */
  spec: string;
  share: ContainerShare;
  stub: StubProcess;
  /** Folders of host cgroups in which its machine's processes are to be; empty: where the sandboxer is. */
  cgroupDirectories: string[];
  network?: NetworkConfig;
  /** Id of the container whose sandbox it joins; absent: it gets one of its own. */
  sandbox?: string;
  /** The state that hooks in the guest get on stdin, as JSON. */
  hookState: string;
}

/** Where the host side of a container's files is. */
export interface ContainerShare {
  /** The folder that the machine shares, as it can be opened now: /proc/PID/root/… of a stub. */
  directory: string;
  /** The container's own folder in it; its root file system is `<folder>/rootfs`. */
  folder: string;
  /** Names in `folder` of what mounts of the specification bind, by their place in `mounts`. */
  binds: { mount: number; name: string }[];
}

export interface ExecContainerRequest extends ContainerReference {
  /** 64 hex digits. */
  execId: string;
  /** The specification's process, as JSON. */
  process: string;
  stub: StubProcess;
}
