import { WIRE_TYPE, WireError, WireReader, WireWriter } from './wire.ts';

/**
 * Protobuf messages described by tables, encoded and decoded without generated code: describing a message
 * costs nothing at start, where a reflective library parses its whole schema each time a process starts.
 * Semantics are proto3's; 64-bit numbers are bigint, as with other libraries. Messages may not contain themselves.
 */
export type Scalar = 'uint32' | 'sint32' | 'uint64' | 'fixed64' | 'bool' | 'string' | 'bytes';
export type Presence = 'always' | 'optional' | 'repeated';

/** One field; `Read` and `Write` are the TypeScript types of its value and exist for the compiler alone. */
export interface Field<Read = unknown, Write = unknown, P extends Presence = Presence> {
  readonly number: number;
  readonly type: Scalar | MessageType;
  readonly presence: P;
  readonly phantom?: { read: Read; write: Write };
}

export type Fields = Record<string, Field>;

export interface MessageType<F extends Fields = Fields> {
  readonly name: string;
  readonly fields: F;
  /** The same fields in the order of their numbers. */
  readonly ordered: readonly (readonly [name: string, field: Field])[];
  readonly byNumber: ReadonlyMap<number, readonly [name: string, field: Field]>;
}

type ReadOf<T> = T extends Field<infer Read, infer _Write, infer _P> ? Read : never;
type WriteOf<T> = T extends Field<infer _Read, infer Write, infer _P> ? Write : never;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer _R, infer _W, 'optional'> ? K : never;
}[keyof F];

/** What decoding gives: every field is there, but those declared optional and messages that were not sent. */
export type Decoded<T> =
  T extends MessageType<infer F>
    ? { [K in Exclude<keyof F, OptionalKeys<F>>]: ReadOf<F[K]> } & {
        [K in OptionalKeys<F>]?: ReadOf<F[K]>;
      }
    : never;

/** What encoding takes: a plain object in which any field may be left out. */
export type Encodable<T> =
  T extends MessageType<infer F> ? { [K in keyof F]?: WriteOf<F[K]> | undefined } : never;

interface ScalarTypes {
  uint32: { read: number; write: number };
  sint32: { read: number; write: number };
  uint64: { read: bigint; write: bigint | number };
  fixed64: { read: bigint; write: bigint };
  bool: { read: boolean; write: boolean };
  string: { read: string; write: string };
  bytes: { read: Uint8Array; write: Uint8Array };
}
type ScalarField<S extends Scalar, P extends Presence> = P extends 'repeated'
  ? Field<ScalarTypes[S]['read'][], readonly ScalarTypes[S]['write'][], P>
  : Field<ScalarTypes[S]['read'], ScalarTypes[S]['write'], P>;

export function scalar<S extends Scalar>(type: S, number: number): ScalarField<S, 'always'> {
  return { number, type, presence: 'always' } as ScalarField<S, 'always'>;
}

/** A scalar whose absence is told from its zero. */
export function optional<S extends Scalar>(type: S, number: number): ScalarField<S, 'optional'> {
  return { number, type, presence: 'optional' } as ScalarField<S, 'optional'>;
}

export function repeated<S extends Scalar>(type: S, number: number): ScalarField<S, 'repeated'> {
  return { number, type, presence: 'repeated' } as ScalarField<S, 'repeated'>;
}

export function nested<M extends MessageType>(
  type: M,
  number: number,
): Field<Decoded<M>, Encodable<M>, 'optional'> {
  return { number, type, presence: 'optional' };
}

export function list<M extends MessageType>(
  type: M,
  number: number,
): Field<Decoded<M>[], readonly Encodable<M>[], 'repeated'> {
  return { number, type, presence: 'repeated' };
}

export function message<F extends Fields>(name: string, fields: F): MessageType<F> {
  const ordered = Object.entries(fields).sort(([, a], [, b]) => a.number - b.number);
  const byNumber = new Map(ordered.map((entry) => [entry[1].number, entry]));
  return { name, fields, ordered, byNumber };
}

const writer = new WireWriter();

/** Encodes a plain object; a number out of its field's range is our own mistake and throws RangeError. */
export function encodeMessage<M extends MessageType>(type: M, value: Encodable<M>): Buffer {
  try {
    writeMessage(type, value as Record<string, unknown>);
    return writer.finish();
  } finally {
    writer.reset();
  }
}

function writeMessage(type: MessageType, value: Record<string, unknown>): void {
  for (const [name, field] of type.ordered) {
    const content = value[name];
    if (content === undefined) continue;
    if (field.presence !== 'repeated') writeField(field, content);
    else writeRepeated(field, content as readonly unknown[]);
  }
}

function writeField(field: Field, value: unknown): void {
  if (field.presence === 'always' && isZero(value)) return;
  writer.tag(field.number, wireTypeOf(field.type));
  writeValue(field.type, value);
}

function isZero(value: unknown): boolean {
  if (typeof value === 'object') return (value as Uint8Array).length === 0;
  return value === 0 || value === 0n || value === '' || value === false;
}

function writeRepeated(field: Field, values: readonly unknown[]): void {
  if (values.length === 0) return;
  if (isPacked(field)) {
    writer.tag(field.number, WIRE_TYPE.lengthDelimited);
    writer.delimited(() => {
      for (const value of values) writeValue(field.type, value);
    });
    return;
  }
  for (const value of values) {
    writer.tag(field.number, WIRE_TYPE.lengthDelimited);
    writeValue(field.type, value);
  }
}

function isPacked(field: Field): boolean {
  return field.presence === 'repeated' && wireTypeOf(field.type) !== WIRE_TYPE.lengthDelimited;
}

function wireTypeOf(type: Field['type']): number {
  if (typeof type !== 'string' || type === 'string' || type === 'bytes') {
    return WIRE_TYPE.lengthDelimited;
  }
  return type === 'fixed64' ? WIRE_TYPE.fixed64 : WIRE_TYPE.varint;
}

function writeValue(type: Field['type'], value: unknown): void {
  if (typeof type !== 'string') {
    writer.delimited(() => writeMessage(type, value as Record<string, unknown>));
    return;
  }
  switch (type) {
    case 'string':
      writer.string(value as string);
      break;
    case 'bytes':
      writer.bytes(value as Uint8Array);
      break;
    case 'bool':
      writer.varint(value === true ? 1 : 0);
      break;
    case 'uint32':
      writer.varint(inRange(value as number, 0, 0xffffffff));
      break;
    case 'sint32':
      writer.varint(zigzag(inRange(value as number, -0x80000000, 0x7fffffff)));
      break;
    case 'uint64':
      writeUint64(value as bigint | number);
      break;
    case 'fixed64':
      writer.fixed64(value as bigint);
      break;
  }
}

function writeUint64(value: bigint | number): void {
  if (typeof value === 'number') {
    writer.varint(inRange(value, 0, Number.MAX_SAFE_INTEGER));
    return;
  }
  if (BigInt.asUintN(64, value) !== value) throw new RangeError(`${value} is not a 64-bit number`);
  writer.bigVarint(value);
}

function inRange(value: number, least: number, greatest: number): number {
  if (Number.isInteger(value) && value >= least && value <= greatest) return value;
  throw new RangeError(`${value} is not a whole number from ${least} to ${greatest}`);
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/** Elements of all repeated fields of one message together: a few bytes of input may not become many objects. */
const MAX_ELEMENTS = 16_384;

/** Decodes hostile input: throws WireError unless it is such a message. Bytes fields are views of `bytes`. */
export function decodeMessage<M extends MessageType>(type: M, bytes: Uint8Array): Decoded<M> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return new Decoder(new WireReader(buffer)).readMessage(type) as Decoded<M>;
}

class Decoder {
  readonly #reader: WireReader;
  #elements = 0;

  constructor(reader: WireReader) {
    this.#reader = reader;
  }

  readMessage(type: MessageType): Record<string, unknown> {
    const reader = this.#reader;
    const value = emptyMessage(type);
    while (!reader.atEnd) {
      const tag = reader.varint();
      const wireType = tag % 8;
      const known = type.byNumber.get(Math.floor(tag / 8));
      if (known === undefined) reader.skip(wireType);
      else this.#readField(value, known[0], known[1], wireType);
    }
    return value;
  }

  #readField(value: Record<string, unknown>, name: string, field: Field, wireType: number): void {
    const packed = isPacked(field) && wireType === WIRE_TYPE.lengthDelimited;
    if (!packed && wireType !== wireTypeOf(field.type)) {
      throw new WireError(`the field ${name} has the wire type ${wireType}`);
    }
    if (field.presence !== 'repeated') value[name] = this.#readValue(field.type);
    else if (packed) this.#readPacked(field, value[name] as unknown[]);
    else this.#readElement(field, value[name] as unknown[]);
  }

  #readPacked(field: Field, elements: unknown[]): void {
    this.#reader.delimited(() => {
      while (!this.#reader.atEnd) this.#readElement(field, elements);
    });
  }

  #readElement(field: Field, elements: unknown[]): void {
    if (++this.#elements > MAX_ELEMENTS) throw new WireError('a message has too many elements');
    elements.push(this.#readValue(field.type));
  }

  #readValue(type: Field['type']): unknown {
    const reader = this.#reader;
    if (typeof type !== 'string') return reader.delimited(() => this.readMessage(type));
    switch (type) {
      case 'string':
        return reader.string();
      case 'bytes':
        return reader.bytes();
      case 'bool':
        return reader.bigVarint() !== 0n;
      case 'uint32':
        return Number(BigInt.asUintN(32, reader.bigVarint()));
      case 'sint32':
        return unzigzag(Number(BigInt.asUintN(32, reader.bigVarint())));
      case 'uint64':
        return reader.bigVarint();
      case 'fixed64':
        return reader.fixed64();
    }
  }
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

const NO_BYTES = new Uint8Array(0);
const ZEROS: Record<Scalar, unknown> = {
  uint32: 0,
  sint32: 0,
  uint64: 0n,
  fixed64: 0n,
  bool: false,
  string: '',
  bytes: NO_BYTES,
};

function emptyMessage(type: MessageType): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [name, field] of type.ordered) {
    if (field.presence === 'repeated') value[name] = [];
    else if (field.presence === 'always') value[name] = ZEROS[field.type as Scalar];
  }
  return value;
}
