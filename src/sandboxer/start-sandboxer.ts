import path from 'node:path';
import { READY_DESCRIPTOR, readLogTail, startDetached } from '../host/detach.ts';
import type { Directories } from '../host/directories.ts';
import {
  deserializeError,
  type SerializedError,
  toWardianError,
  WardianError,
} from '../util/errors.ts';

/** The sandboxer's log inside the runtime folder. */
export const SANDBOXER_LOG_NAME = 'sandboxer.log';

/** Names the descriptor on which the sandboxer writes its ReadyLine. */
export const READY_VARIABLE = 'WARDIAN_READY_FD';

/** What the sandboxer writes, as one line of JSON, when its socket listens or when it cannot start. */
export type ReadyLine = { ready: true } | { error: SerializedError };

/** A sandboxer takes tenths of a second; adopting a hundred machines on a loaded host some seconds. */
const START_TIMEOUT_MS = 20_000;

export interface SandboxerStart {
  readonly directories: Directories;
  /** The file that Node runs. */
  readonly sandboxerPath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/**
 * Starts a sandboxer for these folders; resolves when its socket listens, and also when it left because another
 * one was quicker. Throws what the sandboxer says when it cannot start.
 */
export async function startSandboxer(start: SandboxerStart): Promise<{ ready: boolean }> {
  const logPath = path.join(start.directories.runtime, SANDBOXER_LOG_NAME);
  const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
  const program = {
    file: process.execPath,
    arguments: [start.sandboxerPath],
    environment: buildSandboxerEnvironment(start.environment, start.directories),
    logPath,
  };
  let line: string | undefined;
  try {
    const signal = start.signal ? AbortSignal.any([start.signal, timeout]) : timeout;
    line = await startDetached(program, signal);
  } catch (error) {
    if (start.signal?.aborted) throw new WardianError('CANCELLED', 'the start was cancelled');
    const known = toWardianError(error);
    throw known.code === 'INTERNAL' ? startFailure(logPath, error) : known;
  }
  if (line === undefined) return { ready: false };
  const message = parseReadyLine(line);
  if ('error' in message) throw deserializeError(message.error);
  return { ready: true };
}

/** The sandboxer looks for its folders as every entry point does; these make it find the client's. */
function buildSandboxerEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  directories: Directories,
): Record<string, string | undefined> {
  return {
    ...environment,
    WARDIAN_RUNTIME_DIR: directories.runtime,
    WARDIAN_CACHE_DIR: directories.cache,
    WARDIAN_DATA_DIR: directories.data,
    [READY_VARIABLE]: String(READY_DESCRIPTOR),
  };
}

/** The error for a sandboxer that did not come up, with the end of its log as the cause. */
export function startFailure(logPath: string, thrown?: unknown): WardianError {
  const tail = readLogTail(logPath);
  const detail = thrown instanceof Error ? thrown.message : '';
  const text = [detail, tail].filter((part) => part !== '').join('\n');
  return new WardianError('SANDBOXER_UNREACHABLE', 'the sandboxer did not start', {
    ...(text === '' ? {} : { cause: new Error(text) }),
    hint: `see ${logPath}, and what this host can do: wardian check`,
  });
}

function parseReadyLine(line: string): ReadyLine {
  try {
    const message: unknown = JSON.parse(line);
    if (typeof message === 'object' && message !== null) {
      if ('error' in message || 'ready' in message) return message as ReadyLine;
    }
  } catch {} // Said below, with the line.
  throw new WardianError('SANDBOXER_UNREACHABLE', `the sandboxer said ${JSON.stringify(line)}`);
}
