import { WardianError } from '../../util/errors.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** A size as podman writes it: a number with b, k, m, g or t (powers of 1024), `kb` and `kib` too. */
export function parseSize(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text);
  const factor = UNITS[match?.[2]?.toLowerCase() ?? ''];
  const size = Math.floor(Number(match?.[1]) * (factor ?? Number.NaN));
  if (!Number.isSafeInteger(size) || size <= 0) {
    throw new WardianError('USAGE', `${flag} cannot be ${JSON.stringify(text)}`, {
      hint: 'write a number and b, k, m or g: 512m',
    });
  }
  return size;
}

export function parseCpus(text: string): number {
  const cpus = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(cpus >= 0.01)) {
    throw new WardianError('USAGE', `--cpus cannot be ${JSON.stringify(text)}`, {
      hint: 'write a decimal number of at least 0.01: 1.5',
    });
  }
  return cpus;
}

/** A whole number; throws USAGE outside `minimum` and `maximum`. */
export function parseInteger(
  flag: string,
  text: string,
  { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = {},
): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value;
  throw new WardianError('USAGE', `${flag} cannot be ${JSON.stringify(text)}`, {
    hint:
      maximum === Number.MAX_SAFE_INTEGER
        ? `write a whole number of at least ${minimum}`
        : `write a whole number from ${minimum} to ${maximum}`,
  });
}

/** Absent or -1 mean no limit of one's own. */
export function parsePidsLimit(text: string): number | undefined {
  const limit = parseInteger('--pids-limit', text, { minimum: -1 });
  return limit > 0 ? limit : undefined;
}

/** `KEY=value` each; a label without a value is an empty one. */
export function parseLabels(labels: readonly string[]): Record<string, string> {
  const parsed: Record<string, string> = {};
  for (const label of labels) {
    const { name, value } = splitPair(label);
    if (name === '')
      throw new WardianError('USAGE', `the label ${JSON.stringify(label)} has no name`);
    parsed[name] = value ?? '';
  }
  return parsed;
}

/** Splits at the first `=`; without one there is no value. */
export function splitPair(text: string): { name: string; value: string | undefined } {
  const equals = text.indexOf('=');
  if (equals === -1) return { name: text, value: undefined };
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}

/** `/path[:options]` of --tmpfs. */
export function parseTmpfs(text: string): { destination: string; options: string } {
  const colon = text.indexOf(':');
  const destination = colon === -1 ? text : text.slice(0, colon);
  if (!destination.startsWith('/')) {
    throw new WardianError('USAGE', `--tmpfs ${JSON.stringify(text)} is not an absolute path`);
  }
  return { destination, options: colon === -1 ? '' : text.slice(colon + 1) };
}

/**
 * An entry point as podman takes it: a JSON list of words, or one word as it stands; an empty one removes the
 * image's.
 */
export function parseEntrypoint(text: string): string[] {
  if (text === '') return [];
  if (!text.startsWith('[')) return [text];
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {} // Not JSON: a program's name may begin with a bracket.
  return [text];
}

/** The longest that a timer waits, which counts milliseconds with 31 bits: 24 days. */
const MAX_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

/** Seconds, as --time takes them. */
export function parseSeconds(flag: string, text: string): number {
  return parseInteger(flag, text, { maximum: MAX_SECONDS });
}
