import { appendFileSync, writeSync } from 'node:fs';
import type { FlagValues } from '../arguments/flags.ts';
import { describeFailure, formatLogLine, type LogEntry } from './log-line.ts';

/** Descriptor of standard error. */
const STDERR = 2;

/**
 * Says that a command failed: one line in the file of `--log`, which has nothing else in it, and one on standard error,
 * which engines read that were given no log.
 */
export function reportFailure(thrown: unknown, flags: FlagValues): void {
  const message = describeFailure(thrown);
  const problem = log({ level: 'error', message }, flags);
  const stacks = flags.isSet('debug') ? describeStacks(thrown) : '';
  writeToStderr(`wardian-runtime: ${message}${problem ?? ''}\n${stacks}`);
}

/** Says what went wrong in a command that goes on: in the log, or on standard error when there is none. */
export function reportWarning(thrown: unknown, flags: FlagValues): void {
  const message = describeFailure(thrown);
  const problem = log({ level: 'warning', message }, flags);
  const isLogged = problem === undefined && findLogPath(flags) !== undefined;
  if (!isLogged) writeToStderr(`wardian-runtime: warning: ${message}${problem ?? ''}\n`);
}

/** crun's flag names kinds of logs; the one that is a file may be called one. Undefined: there is no log. */
function findLogPath(flags: FlagValues): string | undefined {
  return flags.getText('log')?.replace(/^file:/, '') || undefined;
}

/** Undefined, or what is to be said of a log that cannot be written. */
function log(entry: LogEntry, flags: FlagValues): string | undefined {
  const logPath = findLogPath(flags);
  if (logPath === undefined) return undefined;
  const format = flags.getText('log-format') === 'json' ? 'json' : 'text';
  try {
    const line = formatLogLine(entry, format, new Date());
    appendFileSync(logPath, line, { mode: 0o644 });
    return undefined;
  } catch (error) {
    return `; that could not be logged: ${error instanceof Error ? error.message : error}`;
  }
}

function writeToStderr(text: string): void {
  try {
    writeSync(STDERR, text);
  } catch {} // Nobody reads it: the log and the exit code must do.
}

function describeStacks(thrown: unknown): string {
  let text = '';
  for (let error = thrown; error instanceof Error; error = error.cause) {
    text += `${error.stack ?? error.message}\n`;
  }
  return text;
}
