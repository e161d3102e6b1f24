import type { NetworkModel } from '../machine/network-config.ts';
import type { GuestChoice } from './configuration.ts';
import { formatSizeText, formatTimeText, parseSizeText, parseTimeText } from './quantities.ts';

/** One thing that can be decided, in a file or by a variable. */
export interface Setting<T> {
  /** Dotted, as in the file: `pool.size`. */
  readonly key: string;
  readonly variable: string;
  /** What it must be, for people: "a whole number from 0 to 32". */
  readonly expectation: string;
  /** The value of what stands in a file; undefined when it is no value of this setting. */
  parse(value: unknown): T | undefined;
  /** The same for the text of the variable. */
  parseVariable(text: string): T | undefined;
  format(value: T): string;
}

export const NETWORK_MODELS: readonly NetworkModel[] = ['tcfilter', 'macvtap'];
const GUESTS: readonly GuestChoice[] = ['auto', 'distro', 'mini'];
/** A host that needs more at once has better means than waiting machines. */
const MAX_POOL_SIZE = 32;
const MAX_MEMORY_BYTES = 2 ** 44;
const MAX_REFILL_DELAY_MS = 3_600_000;
const IDLE_TIMEOUT_MS = { least: 100, most: 86_400_000 };

export const POOL_SIZE: Setting<number> = {
  key: 'pool.size',
  variable: 'WARDIAN_POOL_SIZE',
  expectation: `a whole number from 0 to ${MAX_POOL_SIZE}`,
  parse: (value) => (typeof value === 'number' ? takeInteger(value, 0, MAX_POOL_SIZE) : undefined),
  parseVariable: (text) =>
    /^\d+$/.test(text) ? takeInteger(Number(text), 0, MAX_POOL_SIZE) : undefined,
  format: String,
};

export const POOL_MEMORY: Setting<number> = textSetting({
  key: 'pool.memory',
  variable: 'WARDIAN_POOL_MEMORY',
  expectation: 'a size with a unit, b, k, m, g or t, such as "256m"',
  parseText: (text) => takeInteger(parseSizeText(text), 0, MAX_MEMORY_BYTES),
  format: formatSizeText,
});

export const POOL_REFILL: Setting<number> = textSetting({
  key: 'pool.refill',
  variable: 'WARDIAN_POOL_REFILL',
  expectation: 'a time with a unit, ms, s, m or h, of at most an hour, such as "200ms"',
  parseText: (text) => takeInteger(parseTimeText(text), 0, MAX_REFILL_DELAY_MS),
  format: formatTimeText,
});

export const GUEST: Setting<GuestChoice> = textSetting({
  key: 'guest',
  variable: 'WARDIAN_GUEST',
  expectation: '"auto", "distro" or "mini"',
  parseText: (text) => GUESTS.find((guest) => guest === text),
  format: String,
});

export const NETWORK_MODEL: Setting<NetworkModel> = textSetting({
  key: 'network.model',
  variable: 'WARDIAN_NETWORK_MODEL',
  expectation: '"tcfilter" or "macvtap"',
  parseText: (text) => NETWORK_MODELS.find((model) => model === text),
  format: String,
});

/** The variable is older than the file, and counts in milliseconds. */
export const IDLE_TIMEOUT: Setting<number> = {
  ...textSetting({
    key: 'idle_timeout',
    variable: 'WARDIAN_IDLE_TIMEOUT_MS',
    expectation:
      'a time with a unit, ms, s, m or h, from "100ms" to "24h" (the variable: milliseconds)',
    parseText: (text) =>
      takeInteger(parseTimeText(text), IDLE_TIMEOUT_MS.least, IDLE_TIMEOUT_MS.most),
    format: formatTimeText,
  }),
  parseVariable: (text) => takeInteger(Number(text), IDLE_TIMEOUT_MS.least, IDLE_TIMEOUT_MS.most),
};

export const SETTINGS: readonly Setting<unknown>[] = [
  POOL_SIZE,
  POOL_MEMORY,
  POOL_REFILL,
  GUEST,
  NETWORK_MODEL,
  IDLE_TIMEOUT,
] as readonly Setting<unknown>[];

/** A setting that is a text in the file, too. */
function textSetting<T>({
  parseText,
  ...rest
}: Omit<Setting<T>, 'parse' | 'parseVariable'> & {
  parseText(text: string): T | undefined;
}): Setting<T> {
  const parse = (value: unknown): T | undefined =>
    typeof value === 'string' ? parseText(value) : undefined;
  return { ...rest, parse, parseVariable: parseText };
}

function takeInteger(value: number | undefined, least: number, most: number): number | undefined {
  if (value === undefined || !Number.isInteger(value)) return undefined;
  return value >= least && value <= most ? value : undefined;
}
