import { appendFileSync, writeSync } from 'node:fs';
import type { FlagValues } from '../arguments/flags.ts';
import { describeFailure, formatLogLine } from './log-line.ts';

/** Descriptor of standard error. */
const STDERR = 2;

/**
 * Says that a command failed: one line in the file of `--log`, which has nothing else in it, and one on standard error,
 * which engines read that were given no log.
 */
export function reportFailure(thrown: unknown, flags: FlagValues): void {
  const message = describeFailure(thrown);
  const logPath = flags.getText('log');
  const format = flags.getText('log-format') === 'json' ? 'json' : 'text';
  let unlogged = '';
  if (logPath !== undefined && logPath !== '') {
    try {
      appendFileSync(logPath, formatLogLine(message, format, new Date()), { mode: 0o644 });
    } catch (error) {
      unlogged = `; that could not be logged: ${error instanceof Error ? error.message : error}`;
    }
  }
  const stacks = flags.isSet('debug') ? describeStacks(thrown) : '';
  try {
    writeSync(STDERR, `wardian-runtime: ${message}${unlogged}\n${stacks}`);
  } catch {} // Nobody reads it: the log and the exit code must do.
}

function describeStacks(thrown: unknown): string {
  let text = '';
  for (let error = thrown; error instanceof Error; error = error.cause) {
    text += `${error.stack ?? error.message}\n`;
  }
  return text;
}
