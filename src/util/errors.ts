import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

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
function isNodeError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && typeof (thrown as NodeJS.ErrnoException).code === 'string';
}

/** True when `thrown` is a system error with one of these errno names. */
export function hasErrno(thrown: unknown, ...names: string[]): boolean {
  return isNodeError(thrown) && names.includes(thrown.code ?? '');
}

/** Says which folder's disk is full, which the kernel's own words leave out; other errors stay as they are. */
export function nameFullDisk(thrown: unknown, folder: string): unknown {
  if (hasErrno(thrown, 'ENOSPC', 'EDQUOT')) {
    return new WardianError('HOST_NO_SPACE', `no space is left for ${folder}`, { cause: thrown });
  }
  // An inner clean-up may have made an error of ours of it already, in the kernel's words.
  const isUnnamed = thrown instanceof WardianError && thrown.code === 'HOST_NO_SPACE';
  if (!isUnnamed || !hasErrno(thrown.cause, 'ENOSPC', 'EDQUOT')) return thrown;
  if ((thrown.cause as Error).message !== thrown.message) return thrown;
  const named = nameFullDisk(thrown.cause, folder) as WardianError;
  named.cleanupErrors.push(...thrown.cleanupErrors);
  return named;
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
