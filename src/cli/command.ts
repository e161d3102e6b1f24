import type { Readable, Writable } from 'node:stream';
import type { Directories } from '../host/directories.ts';

/** Standard input as commands see it: a terminal when it has `setRawMode`. */
export type InputStream = Readable & {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
};

/** Standard output or error as commands see it; `columns` and `rows` only on a terminal. */
export type OutputStream = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** All that a command may touch of the process it runs in. */
export interface CommandContext {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directories: Directories;
  /** Wardian's version, the same in the sandboxer that answers. */
  readonly version: string;
  /** The file that Node runs as the sandboxer. */
  readonly sandboxerPath: string;
  /** Print causes and stacks of errors. */
  readonly debug: boolean;
  readonly signals: SignalSource;
}

/** Signals that arrive at the command line itself; `process` is one. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
}

/**
 * One verb of the command line. `arguments_` is what stood behind the verb; the result is the exit code.
 * Failures are thrown as WardianError and printed in one place.
 */
export type Command = (arguments_: string[], context: CommandContext) => Promise<number>;
