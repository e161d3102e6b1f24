import type {
  AttachRequest,
  ExecRequest,
  LogStart,
  LogsRequest,
  SandboxerMethods,
  SandboxerStreams,
} from '../api.ts';
import type { ContainerReference } from '../api-basics.ts';
import {
  parseCreateContainer,
  parseEngineReference,
  parseExecContainer,
  parseUpdateContainer,
} from './engine-parsers.ts';
import {
  type Fields,
  parseProcessFields,
  parseTerminalSize,
  requireBoolean,
  requireId,
  requireInteger,
  requireList,
  requireNumber,
  requireObject,
  requireSignal,
  requireText,
} from './fields.ts';
import { parseGuest, parseLimits, parseRunRequest } from './parse-run-request.ts';

type Calls = SandboxerMethods & SandboxerStreams;

/** Node's timers take no longer time: one beyond it would end at once (Node's documentation of setTimeout). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Checks requests field by field, each as the API has it; what nobody asked for is left out. */
export const REQUEST_PARSERS: {
  readonly [M in keyof Calls]: (value: unknown) => Calls[M]['request'];
} = {
  hello: (value) => ({ version: requireText(requireRequest(value), 'version') }),
  run: parseRunRequest,
  exec: parseExecRequest,
  list: (value) => ({ all: requireBoolean(requireRequest(value), 'all') }),
  inspect: parseReference,
  stop: (value) => ({ ...parseReference(value), timeoutMs: requireTimeout(value) }),
  kill: (value) => ({
    ...parseProcessReference(value),
    signal: requireSignal(requireRequest(value)['signal'], 'signal'),
    ...parseAll(requireRequest(value)),
  }),
  remove: (value) => ({
    ...parseReference(value),
    force: requireBoolean(requireRequest(value), 'force'),
    timeoutMs: requireTimeout(value),
  }),
  wait: parseReference,
  resize: (value) => ({ ...parseProcessReference(value), ...parseTerminalSize(value) }),
  stats: parseReference,
  info: () => ({}),
  prepareTemplate: (value) => ({
    limits: parseLimits(requireRequest(value)['limits']),
    ...parseGuest(requireRequest(value)['guest']),
  }),
  drainPool: (value) => {
    requireRequest(value);
    return {};
  },
  shutdown: (value) => ({ force: requireBoolean(requireRequest(value), 'force') }),
  attach: parseAttachRequest,
  logs: parseLogsRequest,
  createContainer: parseCreateContainer,
  startContainer: parseEngineReference,
  deleteContainer: parseEngineReference,
  execContainer: parseExecContainer,
  pauseContainer: parseEngineReference,
  resumeContainer: parseEngineReference,
  updateContainer: parseUpdateContainer,
};

function parseAll(fields: Fields): { all?: boolean } {
  return fields['all'] === undefined ? {} : { all: requireBoolean(fields, 'all') };
}

function parseExecRequest(value: unknown): ExecRequest {
  const fields = requireRequest(value);
  return {
    ...parseReference(value),
    execId: requireId(fields['execId'], 'execId'),
    command: requireList(fields['command'], 'command'),
    ...parseProcessFields(fields),
  };
}

function parseAttachRequest(value: unknown): AttachRequest {
  const fields = requireRequest(value);
  return {
    ...parseProcessReference(value),
    stdin: requireBoolean(fields, 'stdin'),
    owner: requireBoolean(fields, 'owner'),
    from: parseFrom(fields['from']),
  };
}

function parseFrom(value: unknown): AttachRequest['from'] {
  if (value === 'start' || value === 'now') return value;
  const { stdout, stderr, stdin } = requireObject(value, 'from');
  return {
    stdout: requireOffset(stdout, 'from.stdout'),
    stderr: requireOffset(stderr, 'from.stderr'),
    stdin: requireOffset(stdin, 'from.stdin'),
  };
}

function parseLogsRequest(value: unknown): LogsRequest {
  const fields = requireRequest(value);
  const { tail, sinceMs, untilMs, start } = fields;
  return {
    ...parseReference(value),
    follow: requireBoolean(fields, 'follow'),
    ...(tail === undefined ? {} : { tail: requireOffset(tail, 'tail') }),
    ...(sinceMs === undefined ? {} : { sinceMs: requireTime(sinceMs, 'sinceMs') }),
    ...(untilMs === undefined ? {} : { untilMs: requireTime(untilMs, 'untilMs') }),
    timestamps: requireBoolean(fields, 'timestamps'),
    ...(start === undefined ? {} : { start: parseLogStart(start) }),
  };
}

function parseLogStart(value: unknown): LogStart {
  const { position, skipLines } = requireObject(value, 'start');
  return {
    position: requireOffset(position, 'start.position'),
    skipLines: requireOffset(skipLines, 'start.skipLines'),
  };
}

function requireRequest(value: unknown): Fields {
  return requireObject(value, 'request');
}

function parseReference(value: unknown): ContainerReference {
  return { container: requireText(requireRequest(value), 'container') };
}

function parseProcessReference(value: unknown): ContainerReference & { execId?: string } {
  const { execId } = requireRequest(value);
  return {
    ...parseReference(value),
    ...(execId === undefined ? {} : { execId: requireId(execId, 'execId') }),
  };
}

function requireTimeout(value: unknown): number {
  return requireInteger(requireRequest(value)['timeoutMs'], 'timeoutMs', [0, MAX_TIMEOUT_MS]);
}

function requireOffset(value: unknown, field: string): number {
  return requireInteger(value, field, [0, Number.MAX_SAFE_INTEGER]);
}

/** Unix time in milliseconds; "so long ago" may lie before 1970. */
function requireTime(value: unknown, field: string): number {
  return requireNumber(value, field, [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
}
