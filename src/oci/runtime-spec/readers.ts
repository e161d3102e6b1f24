import { WardianError } from '../../util/errors.ts';

/** Checks a value from hostile JSON and gives it a type; `path` is where it stands, for the error. */
export type Reader<T> = (value: unknown, path: string) => T;

interface Field<T> {
  read: Reader<T>;
  required: boolean;
}

type IsOptional<T, K extends keyof T> = Record<never, never> extends Pick<T, K> ? true : false;

/** One field for each property of `T`: optional exactly where `T` says so. */
type Fields<T> = {
  [K in keyof T]-?: Field<Exclude<T[K], undefined>> & {
    required: IsOptional<T, K> extends true ? false : true;
  };
};

export function required<T>(read: Reader<T>): Field<T> & { required: true } {
  return { read, required: true };
}

/** Absent or null: Go writes null for an empty pointer or slice. */
export function optional<T>(read: Reader<T>): Field<T> & { required: false } {
  return { read, required: false };
}

/** An object; properties that `T` does not know are dropped, as the specification asks. */
export function object<T extends object>(fields: Fields<T>): Reader<T> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  return (value, path) => {
    const source = asObject(value, path);
    const result: Record<string, unknown> = {};
    for (const [name, field] of entries) {
      const member = source[name] ?? undefined;
      const memberPath = path === '' ? name : `${path}.${name}`;
      if (member !== undefined) result[name] = field.read(member, memberPath);
      else if (field.required) throw invalid(memberPath, 'is missing');
    }
    return result as T;
  };
}

/** A list of at most `maximum` values. */
export function list<T>(read: Reader<T>, maximum: number): Reader<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw unexpected(path, 'a list', value);
    if (value.length > maximum) {
      throw invalid(path, `has ${value.length} entries; at most ${maximum} are read`);
    }
    return value.map((entry, index) => read(entry, `${path}[${index}]`));
  };
}

/** An object used as a table: at most `maximum` names, each read by `readKey`. */
export function table<T>(
  readKey: Reader<string>,
  read: Reader<T>,
  maximum: number,
): Reader<Record<string, T>> {
  return (value, path) => {
    const entries = Object.entries(asObject(value, path));
    if (entries.length > maximum) {
      throw invalid(path, `has ${entries.length} entries; at most ${maximum} are read`);
    }
    return Object.fromEntries(
      entries.map(([key, entry]) => {
        const name = readKey(key, `${path} (name)`);
        return [name, read(entry, `${path}[${show(name)}]`)];
      }),
    );
  };
}

/** Any text without NUL, which no system call takes. */
export function text(maximumLength: number): Reader<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw unexpected(path, 'a string', value);
    if (value.length > maximumLength) {
      throw invalid(path, `is ${value.length} characters long; at most ${maximumLength} are read`);
    }
    if (value.includes('\0')) throw invalid(path, `contains a NUL character: ${show(value)}`);
    return value;
  };
}

/** A text of one line without control characters: names, paths, options. */
export function line(maximumLength: number): Reader<string> {
  const readText = text(maximumLength);
  return (value, path) => {
    const result = readText(value, path);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[\x00-\x1f\x7f]/.test(result)) {
      throw invalid(path, `contains a control character: ${show(result)}`);
    }
    return result;
  };
}

/** A line that matches `pattern`; `what` names it in the error ("a host name"). */
export function matching(pattern: RegExp, what: string, maximumLength: number): Reader<string> {
  const readLine = line(maximumLength);
  return (value, path) => {
    const result = readLine(value, path);
    if (!pattern.test(result)) throw unexpected(path, what, value);
    return result;
  };
}

/** One of a fixed set of words. */
export function oneOf<T extends string>(words: readonly T[]): Reader<T> {
  return (value, path) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw unexpected(path, `one of ${words.join(', ')}`, value);
    return word;
  };
}

export const boolean: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw unexpected(path, 'true or false', value);
  return value;
};

/** A whole number that a double holds exactly. */
export function integer(minimum: number, maximum: number): Reader<number> {
  return (value, path) => {
    if (typeof value === 'number' && Number.isSafeInteger(value)) {
      if (value >= minimum && value <= maximum) return value;
    }
    throw unexpected(path, `a whole number from ${minimum} to ${maximum}`, value);
  };
}

function wide(minimum: bigint, maximum: bigint): Reader<bigint> {
  return (value, path) => {
    const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value);
    if (isWhole) {
      const whole = BigInt(value as bigint | number);
      if (whole >= minimum && whole <= maximum) return whole;
    }
    throw unexpected(path, `a whole number from ${minimum} to ${maximum}`, value);
  };
}

export const unsigned64 = wide(0n, 2n ** 64n - 1n);
export const signed64 = wide(-(2n ** 63n), 2n ** 63n - 1n);
export const unsigned32 = integer(0, 2 ** 32 - 1);

/** SPEC_INVALID that names the place. */
export function invalid(path: string, problem: string): WardianError {
  return new WardianError('SPEC_INVALID', `${path === '' ? 'config.json' : path} ${problem}`);
}

/** SPEC_INVALID that names the place, what belongs there and what stands there. */
function unexpected(path: string, expected: string, value: unknown): WardianError {
  return invalid(path, `is ${show(value)}, not ${expected}`);
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unexpected(path, 'an object', value);
  }
  return value as Record<string, unknown>;
}

/** The value as the reader of an error can recognise it, short and without control characters. */
function show(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const shown = JSON.stringify(value) ?? 'absent';
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}
