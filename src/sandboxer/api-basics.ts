/** What people's containers and those of engines have in common on the socket. */
export type EmptyResponse = Record<string, never>;

/** A container by name, by id, or by a prefix of its id that no other has; one of an engine by its whole id alone. */
export interface ContainerReference {
  container: string;
}

export interface ExecResponse {
  /** In the guest. */
  pid: number;
}

/** Figures of a container, as the guest's cgroup has them. */
export interface ContainerStats {
  cpuUsageMicroseconds: number;
  memoryBytes: number;
  /** The most that it ever was; 0 where the kernel does not say. */
  memoryPeakBytes: number;
  /** 0: none. */
  memoryLimitBytes: number;
  pids: number;
  outOfMemoryKills: number;
}
