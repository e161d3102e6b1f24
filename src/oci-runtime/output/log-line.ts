import { toWardianError, type WardianError } from '../../util/errors.ts';

/** How deep causes are told. */
const MAX_CAUSES = 8;
/** A line that others parse and show stays short, whatever a guest or a hook had to say. */
const MAX_MESSAGE_LENGTH = 8 * 1024;

export type LogFormat = 'text' | 'json';

/** Engines take the last `error` for the reason of a failure. */
export interface LogEntry {
  readonly level: 'error' | 'warning';
  readonly message: string;
}

/** What goes into the log of an engine: one line, with the keys that runc's logger and crun write. */
export function formatLogLine({ level, message }: LogEntry, format: LogFormat, time: Date): string {
  const stamp = `${time.toISOString().slice(0, -'.000Z'.length)}Z`;
  if (format === 'json') {
    return `${JSON.stringify({ level, msg: message, time: stamp })}\n`;
  }
  return `time="${stamp}" level=${level} msg=${JSON.stringify(message)}\n`;
}

/** A number behind the agent's own words. */
const AGENT_STATUS = /^the agent answered with status \d+/;
/** What the sandboxer calls a container; engines and people know it by another id. */
const SANDBOXER_ID = /\bcontainer [0-9a-f]{64}\b/g;

/** All that is known of a failure in one line: what failed, why, what to do. Engines look for some words in it. */
export function describeFailure(thrown: unknown): string {
  const error = toWardianError(thrown);
  const parts = [withEngineWords(error)];
  let cause = error.cause;
  for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++) {
    const { message } = cause;
    const isNews = !parts.some((part) => part.includes(message)) && !AGENT_STATUS.test(message);
    if (isNews) parts.push(message);
    cause = cause.cause;
  }
  const cleanup = error.cleanupErrors.map((failure) => `; clean-up failed: ${failure}`).join('');
  // The remedies of the table speak of the command for people, whose containers are not those of an engine.
  const hint = error.hint === undefined ? '' : ` (${error.hint})`;
  const text = `${parts.join(': ')}${hint}${cleanup}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = text.replace(/[\x00-\x1f\x7f]+/g, ' ');
  return line.replace(SANDBOXER_ID, 'the container').slice(0, MAX_MESSAGE_LENGTH);
}

/**
 * podman finds its exit codes 126 and 127, and containerd that a process has ended already, by these words of runc's and
 * crun's in a message.
 */
const ENGINE_WORDS: Partial<Record<WardianError['code'], { words: string; known: RegExp }>> = {
  COMMAND_NOT_FOUND: {
    words: 'no such file or directory',
    known: /executable file not found in|no such file or directory/i,
  },
  COMMAND_NOT_EXECUTABLE: {
    words: 'permission denied',
    known: /permission denied|operation not permitted/i,
  },
  CONTAINER_NOT_FOUND: { words: 'container does not exist', known: /does not exist/ },
  CONTAINER_NOT_RUNNING: { words: 'container not running', known: /container not running/ },
};

function withEngineWords({ code, message }: WardianError): string {
  const engine = ENGINE_WORDS[code];
  if (engine === undefined || engine.known.test(message)) return message;
  return `${message}: ${engine.words}`;
}
