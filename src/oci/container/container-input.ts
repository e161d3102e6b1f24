import type { UserDatabase } from '../user-database.ts';

/** What of an image's configuration becomes part of a container; image-spec's ImageConfig fits. */
export interface ImageDefaults {
  entrypoint: readonly string[];
  cmd: readonly string[];
  env: readonly string[];
  workingDirectory: string;
  user: string;
  labels?: Readonly<Record<string, string>>;
}

export interface TerminalSize {
  rows: number;
  columns: number;
}

/** A run as it was asked for; absent means podman's default. The sandboxer's `RunRequest` fits. */
export interface ContainerRequest {
  /** 64 hex digits. */
  id: string;
  name?: string;
  /** Replaces the image's CMD. */
  command?: readonly string[];
  /** Replaces the image's ENTRYPOINT and clears its CMD; an empty list removes both. */
  entrypoint?: readonly string[];
  /** `NAME=value` each, on top of the image's. */
  env: readonly string[];
  workingDirectory?: string;
  /** `user[:group]`, names or numbers. */
  user?: string;
  hostname?: string;
  terminal: boolean;
  terminalSize?: TerminalSize;
  readOnly: boolean;
  tmpfs: readonly { destination: string; options: string }[];
  labels: Readonly<Record<string, string>>;
  limits: { cpus?: number; memoryBytes?: number; pids?: number };
}

export interface ContainerInput {
  request: ContainerRequest;
  image: ImageDefaults;
  users: UserDatabase;
}

/** A further process in a running container. The sandboxer's `ExecRequest` fits. */
export interface ExecRequest {
  command: readonly string[];
  env: readonly string[];
  workingDirectory?: string;
  user?: string;
  terminal: boolean;
  terminalSize?: TerminalSize;
  interactive: boolean;
}
