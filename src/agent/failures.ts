/** What can go wrong with an agent, as errors. */
import { WardianError } from '../util/errors.ts';
import { STATUS_CODE, type StatusCodeName } from '../util/ttrpc/status-code.ts';

/** Cause of an AGENT_FAILED error: the status that the agent answered with. */
class AgentStatus extends Error {
  override readonly name = 'AgentStatus';
  readonly statusCode: number;

  constructor(statusCode: number) {
    super(`the agent answered with status ${statusCode} (${statusName(statusCode)})`);
    this.statusCode = statusCode;
  }
}

/** Cause of the errors of calls that were in flight when the agent began a new session. */
class SessionRestart extends Error {
  override readonly name = 'SessionRestart';
}

/** True when the agent itself answered with this status: `hasAgentStatus(error, 'notFound')`. */
export function hasAgentStatus(thrown: unknown, ...names: StatusCodeName[]): boolean {
  if (!(thrown instanceof WardianError) || !(thrown.cause instanceof AgentStatus)) return false;
  const { statusCode } = thrown.cause;
  return names.some((name) => STATUS_CODE[name] === statusCode);
}

/** True when a call got no answer because the agent began a new session; it may or may not have been carried out. */
export function isSessionRestart(thrown: unknown): boolean {
  return thrown instanceof WardianError && thrown.cause instanceof SessionRestart;
}

/** @param what the request in people's words, as an infinitive: "start container web" */
export function agentFailed(what: string, statusCode: number, text: string): WardianError {
  const reason = sanitizeGuestText(text) || statusName(statusCode);
  return new WardianError('AGENT_FAILED', `the guest could not ${what}: ${reason}`, {
    cause: new AgentStatus(statusCode),
  });
}

export function agentTimeout(what: string, timeoutMs: number): WardianError {
  return new WardianError(
    'AGENT_TIMEOUT',
    `the guest agent did not ${what} within ${timeoutMs} ms`,
    { hint: 'the guest hangs or the host is overloaded: try again, or end it with wardian rm -f' },
  );
}

export function agentBreach(message: string, cause?: unknown): WardianError {
  return new WardianError('AGENT_PROTOCOL', message, cause === undefined ? {} : { cause });
}

export function sessionRestarted(what: string): WardianError {
  return new WardianError('AGENT_FAILED', `the guest could not ${what}: its agent began anew`, {
    cause: new SessionRestart('the agent began a new session'),
  });
}

function statusName(statusCode: number): string {
  const found = Object.entries(STATUS_CODE).find(([, code]) => code === statusCode);
  return found === undefined ? `status ${statusCode}` : found[0];
}

const MAX_GUEST_TEXT_CHARACTERS = 500;

/** Makes text of the guest fit for a terminal: no control, direction or line characters, and not too long. */
export function sanitizeGuestText(text: string): string {
  // The cut comes first, so that a text of megabytes costs no more than a short one.
  const cut = text.slice(0, MAX_GUEST_TEXT_CHARACTERS);
  const clean = cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, '').trim();
  return text.length > cut.length ? `${clean}...` : clean;
}
