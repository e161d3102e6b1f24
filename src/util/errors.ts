/**
 * Every way in which Wardian fails on purpose. This table is the manual of failures
 * (docs/errors.md is made from it): a code, the exit code a command line gives for it, and what it means.
 *
 * `user` errors are mended by whoever typed the command; `host` errors by whoever owns the machine;
 * `system` errors are Wardian's or the guest's fault.
 */
export const ERROR_CODES = {
  USAGE: { kind: 'user', exitCode: 125, meaning: 'a flag or argument is wrong' },
  NAME_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a name or id has characters it may not have',
  },
  NAME_IN_USE: { kind: 'user', exitCode: 125, meaning: 'another container has this name' },
  CONTAINER_NOT_FOUND: { kind: 'user', exitCode: 125, meaning: 'no container has this name or id' },
  CONTAINER_NOT_RUNNING: { kind: 'user', exitCode: 125, meaning: 'the container has stopped' },
  CONTAINER_RUNNING: { kind: 'user', exitCode: 125, meaning: 'the container still runs' },
  COMMAND_NOT_FOUND: { kind: 'user', exitCode: 127, meaning: 'the command is not in the image' },
  COMMAND_NOT_EXECUTABLE: {
    kind: 'user',
    exitCode: 126,
    meaning: 'the command is there but cannot be run',
  },
  USER_NOT_FOUND: { kind: 'user', exitCode: 125, meaning: 'the user or group is not in the image' },
  IMAGE_NOT_FOUND: { kind: 'user', exitCode: 125, meaning: 'no image has this name or id' },
  IMAGE_IN_USE: { kind: 'user', exitCode: 125, meaning: 'a container still uses the image' },
  IMAGE_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the image or archive is damaged or not an OCI image',
  },
  IMAGE_UNSUPPORTED: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the image uses something Wardian does not read',
  },
  SPEC_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the container specification is malformed',
  },
  SPEC_UNSUPPORTED: {
    kind: 'user',
    exitCode: 125,
    meaning: 'the specification asks for what a VM cannot mean',
  },
  CONFIG_INVALID: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a configuration file or variable is wrong',
  },
  PATH_NOT_FOUND: {
    kind: 'user',
    exitCode: 125,
    meaning: 'a file named on the command line is not there',
  },
  HOST_SETUP_MISSING: {
    kind: 'host',
    exitCode: 125,
    meaning: 'a package or a built file is missing',
  },
  HOST_PERMISSION: {
    kind: 'host',
    exitCode: 125,
    meaning: 'the host does not permit what is needed',
  },
  HOST_NO_SPACE: { kind: 'host', exitCode: 125, meaning: 'a disk is full' },
  HOST_NO_MEMORY: { kind: 'host', exitCode: 125, meaning: 'the host has too little free memory' },
  HYPERVISOR_MISSING: { kind: 'host', exitCode: 125, meaning: 'QEMU is not installed' },
  HYPERVISOR_FAILED: { kind: 'system', exitCode: 125, meaning: 'QEMU did not start, or died' },
  ACCELERATOR_UNUSABLE: {
    kind: 'host',
    exitCode: 125,
    meaning: 'the accelerator that was asked for does not work',
  },
  TEMPLATE_FAILED: {
    kind: 'system',
    exitCode: 125,
    meaning: 'a template could not be made or is damaged',
  },
  AGENT_TIMEOUT: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest agent did not answer in time',
  },
  AGENT_PROTOCOL: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest sent something that is not the protocol',
  },
  AGENT_VERSION: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest agent speaks another protocol version',
  },
  AGENT_FAILED: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the guest could not carry out a request',
  },
  SANDBOX_DIED: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the virtual machine ended unexpectedly',
  },
  SANDBOXER_UNREACHABLE: {
    kind: 'system',
    exitCode: 125,
    meaning: 'the sandboxer did not start or does not answer',
  },
  STATE_CORRUPT: { kind: 'system', exitCode: 125, meaning: 'a state file on disk is damaged' },
  CANCELLED: { kind: 'user', exitCode: 130, meaning: 'the operation was cancelled' },
  INTERNAL: { kind: 'system', exitCode: 125, meaning: 'a bug in Wardian' },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface WardianErrorOptions {
  /** The failure underneath; its message is not repeated in ours. */
  cause?: unknown;
  /** One sentence that says what the reader can do about it. */
  hint?: string;
}

/** The shape in which an error crosses a process boundary. */
export interface SerializedError {
  code: ErrorCode;
  message: string;
  hint?: string;
  causes: string[];
  cleanupErrors: string[];
}

/** The one error class: lower-case message without a full stop, a documented code, and a hint. */
export class WardianError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Failures of undo steps that ran because of this error; reported beside it, never instead of it. */
  readonly cleanupErrors: string[] = [];

  constructor(code: ErrorCode, message: string, options: WardianErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'WardianError';
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }
}

/** Turns anything thrown into a WardianError; what is not one yet is a bug of ours. */
export function toWardianError(thrown: unknown): WardianError {
  if (thrown instanceof WardianError) return thrown;
  if (isNodeError(thrown)) return fromSystemError(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new WardianError('INTERNAL', message, { cause: thrown });
}

/** Narrows to the errors that Node's system calls throw. */
export function isNodeError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && typeof (thrown as NodeJS.ErrnoException).code === 'string';
}

/** True when `thrown` is a system error with one of these errno names. */
export function hasErrno(thrown: unknown, ...names: string[]): boolean {
  return isNodeError(thrown) && names.includes(thrown.code ?? '');
}

const SYSTEM_ERRORS: Record<string, { code: ErrorCode; hint: string }> = {
  ENOSPC: { code: 'HOST_NO_SPACE', hint: 'free some space on that disk and try again' },
  EDQUOT: {
    code: 'HOST_NO_SPACE',
    hint: 'your disk quota is used up; free some space and try again',
  },
  ENOMEM: { code: 'HOST_NO_MEMORY', hint: 'stop something, or ask for less with --memory' },
  EACCES: { code: 'HOST_PERMISSION', hint: 'check the owner and mode of that path' },
  EROFS: { code: 'HOST_PERMISSION', hint: 'that disk is mounted read-only: choose another folder' },
  EMFILE: {
    code: 'HOST_PERMISSION',
    hint: 'too many files are open: raise the limit (ulimit -n), or stop some containers',
  },
  EPERM: { code: 'HOST_PERMISSION', hint: 'check what this user may do here: wardian check' },
};

function fromSystemError(error: NodeJS.ErrnoException): WardianError {
  const known = SYSTEM_ERRORS[error.code ?? ''];
  if (known === undefined) return new WardianError('INTERNAL', error.message, { cause: error });
  return new WardianError(known.code, error.message, { cause: error, hint: known.hint });
}

/** Makes an error fit for JSON; `deserializeError` is its inverse as far as a reader can tell. */
export function serializeError(thrown: unknown): SerializedError {
  const error = toWardianError(thrown);
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 8; cause = cause.cause) {
    if (cause.message !== error.message) causes.push(cause.message);
  }
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    causes,
    cleanupErrors: error.cleanupErrors,
  };
}

export function deserializeError(serialized: SerializedError): WardianError {
  const code = serialized.code in ERROR_CODES ? serialized.code : 'INTERNAL';
  let cause: Error | undefined;
  for (const message of [...serialized.causes].reverse()) cause = new Error(message, { cause });
  const options: WardianErrorOptions = {};
  if (cause !== undefined) options.cause = cause;
  if (serialized.hint !== undefined) options.hint = serialized.hint;
  const error = new WardianError(code, serialized.message, options);
  error.cleanupErrors.push(...serialized.cleanupErrors);
  return error;
}
