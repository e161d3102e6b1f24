import { WardianError } from '../../util/errors.ts';

/** What `parseJson` makes of a text; integers that a double cannot hold exactly are bigint. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

/** Deeper than any config.json goes (seccomp arguments are at seven). */
const MAXIMUM_DEPTH = 32;

/** The characters of a number; what they spell is checked against NUMBER below. */
const NUMBER_CHARACTERS = /[-+0-9.eE]*/y;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/;
/** Enough for any 64-bit number; longer ones cost quadratic time to convert. */
const MAXIMUM_NUMBER_LENGTH = 32;
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/suy;
const BLANKS = /[ \t\n\r]*/y;

/**
 * Parses JSON (RFC 8259) where `JSON.parse` would round: 64-bit integers come back whole.
 * Nesting is bounded and a name that occurs twice in one object is refused, since two readers could
 * understand such a text differently. Fails with SPEC_INVALID and the offset.
 */
export function parseJson(text: string): Json {
  const source = new Source(text);
  const value = readValue(source, 0);
  source.skipBlanks();
  if (!source.atEnd) source.fail('the end of the text');
  return value;
}

/** Writes JSON with bigint as plain integers: the inverse of `parseJson`. */
export function formatJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(formatJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${formatJson(member)}`).join(',')}}`;
}

class Source {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#offset >= this.#text.length;
  }

  /** The next character that is not blank. */
  peek(): string {
    this.skipBlanks();
    return this.#text[this.#offset] ?? '';
  }

  skipBlanks(): void {
    this.match(BLANKS);
  }

  take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#offset)) return false;
    this.#offset += expected.length;
    return true;
  }

  match(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#offset += found.length;
    return found;
  }

  fail(expected: string): never {
    throw new WardianError('SPEC_INVALID', `expected ${expected} at offset ${this.#offset}`);
  }
}

function readValue(source: Source, depth: number): Json {
  if (depth > MAXIMUM_DEPTH) source.fail(`no more than ${MAXIMUM_DEPTH} levels of nesting`);
  const first = source.peek();
  if (first === '{') return readObject(source, depth);
  if (first === '[') return readList(source, depth);
  if (first === '"') return readString(source);
  if (source.take('true')) return true;
  if (source.take('false')) return false;
  if (source.take('null')) return null;
  return readNumber(source);
}

function readObject(source: Source, depth: number): Json {
  // No prototype: "__proto__" is a name like any other.
  const object: { [key: string]: Json } = Object.create(null);
  source.take('{');
  if (source.peek() === '}') {
    source.take('}');
    return object;
  }
  do {
    if (source.peek() !== '"') source.fail('a name');
    const key = readString(source);
    if (key in object) source.fail(`no second ${JSON.stringify(key.slice(0, 64))}`);
    if (source.peek() !== ':') source.fail("':'");
    source.take(':');
    object[key] = readValue(source, depth + 1);
  } while (source.peek() === ',' && source.take(','));
  if (!source.take('}')) source.fail("',' or '}'");
  return object;
}

function readList(source: Source, depth: number): Json {
  const list: Json[] = [];
  source.take('[');
  if (source.peek() === ']') {
    source.take(']');
    return list;
  }
  do {
    list.push(readValue(source, depth + 1));
  } while (source.peek() === ',' && source.take(','));
  if (!source.take(']')) source.fail("',' or ']'");
  return list;
}

function readString(source: Source): string {
  const literal = source.match(STRING);
  try {
    return JSON.parse(literal) as string;
  } catch {
    return source.fail('a well-formed string'); // an unknown escape, a raw control character or no end
  }
}

function readNumber(source: Source): Json {
  const literal = source.match(NUMBER_CHARACTERS);
  const parts = literal.length > MAXIMUM_NUMBER_LENGTH ? null : NUMBER.exec(literal);
  if (parts === null) return source.fail('a value');
  const value = Number(literal);
  if (!Number.isFinite(value)) return source.fail('a finite number');
  const isWhole = parts[1] === undefined && parts[2] === undefined;
  return isWhole && !Number.isSafeInteger(value) ? BigInt(literal) : value;
}
