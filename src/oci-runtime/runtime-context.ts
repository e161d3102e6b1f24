import type { Directories } from '../host/directories.ts';
import type { FlagValues } from './arguments/flags.ts';

/** How the cgroup on the host is made and named. */
export type CgroupManager = 'cgroupfs' | 'systemd' | 'disabled';

/** All that a verb may touch of the process it runs in. */
export interface RuntimeContext {
  /** Absolute: the folder with one folder for each container. */
  readonly root: string;
  readonly cgroupManager: CgroupManager;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The sandboxer's; found when they are asked for. */
  readonly directories: Directories;
  readonly version: string;
  readonly sandboxerPath: string;
  readonly stubPath: string;
  readonly userId: number;
  readonly parentPid: number;
  /** Where signals arrive that are meant for the process of a container; `process` is one. */
  readonly signals: SignalSource;
  /** Writes to standard output, all of it. */
  print(text: string): void;
  /** Says what failed without failing the command. */
  warn(thrown: unknown): void;
}

export interface SignalSource {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
}

/** One verb: what stood on its command line, and the process around it. */
export interface VerbCall {
  readonly flags: FlagValues;
  readonly operands: readonly string[];
  readonly context: RuntimeContext;
}

/** Does what a verb says and returns the exit code; failures are thrown as WardianError and reported in one place. */
export type Verb = (call: VerbCall) => Promise<number>;
