import type { Writable } from 'node:stream';
import { ERROR_CODES } from '../../util/error-codes.ts';
import { hasErrno, toWardianError } from '../../util/errors.ts';
import { writeText } from './write-text.ts';

/** How deep causes are shown. */
const MAX_CAUSES = 8;

/** What a shell says of a program that wrote to a pipe without a reader: 128 + SIGPIPE. */
const BROKEN_PIPE_EXIT_CODE = 141;

interface ErrorReader {
  readonly stderr: Writable;
  readonly debug: boolean;
}

/** Prints an error, the one place that does, and returns the exit code for it. */
export async function reportError(thrown: unknown, reader: ErrorReader): Promise<number> {
  if (hasErrno(thrown, 'EPIPE')) return BROKEN_PIPE_EXIT_CODE;
  const error = toWardianError(thrown);
  const text = renderError(thrown, reader.debug);
  try {
    await writeText(reader.stderr, text);
  } catch {} // Nobody reads stderr: the exit code must do.
  return error.exitCode;
}

/** The lines about an error: what failed, why, what to do, and what could not be tidied up after it. */
export function renderError(thrown: unknown, debug: boolean): string {
  const error = toWardianError(thrown);
  const lines = [`wardian: ${error.message}`];
  let cause = error.cause;
  for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++) {
    if (cause.message !== error.message) lines.push(`  cause: ${indent(cause.message)}`);
    cause = cause.cause;
  }
  lines.push(`  hint: ${error.hint ?? ERROR_CODES[error.code].remedy}`);
  for (const failure of error.cleanupErrors) lines.push(`  cleanup: ${indent(failure)}`);
  if (debug) lines.push(`  code: ${error.code}`, ...renderStacks(thrown));
  return `${lines.join('\n')}\n`;
}

function renderStacks(thrown: unknown): string[] {
  const stacks: string[] = [];
  let error = thrown;
  for (let depth = 0; error instanceof Error && depth < MAX_CAUSES; depth++) {
    stacks.push(`  stack: ${indent(error.stack ?? error.message)}`);
    error = error.cause;
  }
  return stacks;
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n    ');
}
