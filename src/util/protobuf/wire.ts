/** Bytes that are not a protobuf message of the kind that was expected. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

export const WIRE_TYPE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

const FIRST_CAPACITY_BYTES = 4096;
/** A buffer that grew beyond this for one message is not kept for the next. */
const KEPT_CAPACITY_BYTES = 128 * 1024;
const LONGEST_VARINT_BYTES = 10;

/** Writes protobuf's primitives into one growing buffer, which serves for message after message. */
export class WireWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES);
  #length = 0;

  /** Returns a copy of what was written, and begins anew. */
  finish(): Buffer {
    const written = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.reset();
    return written;
  }

  /** Drops what was written. */
  reset(): void {
    this.#length = 0;
    if (this.#buffer.length > KEPT_CAPACITY_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES);
    }
  }

  tag(fieldNumber: number, wireType: number): void {
    this.varint(fieldNumber * 8 + wireType);
  }

  /** A whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#reserve(LONGEST_VARINT_BYTES);
    let rest = value;
    while (rest > 0x7f) {
      this.#buffer[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  bigVarint(value: bigint): void {
    if (value <= Number.MAX_SAFE_INTEGER) {
      this.varint(Number(value));
      return;
    }
    this.#reserve(LONGEST_VARINT_BYTES);
    let rest = value;
    while (rest > 0x7fn) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  fixed64(value: bigint): void {
    this.#reserve(8);
    this.#buffer.writeBigUInt64LE(value, this.#length);
    this.#length += 8;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#reserve(length);
    this.#length += this.#buffer.write(value, this.#length, 'utf8');
  }

  /** Writes whatever `content` writes, with its length before it. */
  delimited(content: () => void): void {
    this.#reserve(LONGEST_VARINT_BYTES);
    // One byte is enough for most lengths; a longer one moves the content up.
    const start = ++this.#length;
    content();
    const length = this.#length - start;
    const shift = varintBytes(length) - 1;
    if (shift > 0) {
      this.#reserve(shift);
      this.#buffer.copyWithin(start + shift, start, start + length);
    }
    this.#length = start - 1;
    this.varint(length);
    this.#length += length;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Reads protobuf's primitives; nothing outside `position` to `end` is ever looked at. */
export class WireReader {
  readonly #buffer: Buffer;
  #position = 0;
  #end: number;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
    this.#end = buffer.length;
  }

  get atEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** A whole number below 2^53; a greater one is an error. */
  varint(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let factor = 0x80;
    for (let count = 1; count < LONGEST_VARINT_BYTES; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw new WireError('a number is 2^53 or more');
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw new WireError('a varint does not end');
  }

  bigVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError('a varint does not end');
  }

  fixed64(): bigint {
    const start = this.#take(8);
    return this.#buffer.readBigUInt64LE(start);
  }

  /** A view of the message's own memory. */
  bytes(): Buffer {
    const length = this.varint();
    const start = this.#take(length);
    return this.#buffer.subarray(start, start + length);
  }

  /** Bytes that are not UTF-8 become U+FFFD: a guest may well speak of a file whose name is not. */
  string(): string {
    const length = this.varint();
    const start = this.#take(length);
    return this.#buffer.toString('utf8', start, start + length);
  }

  /** Lets `content` read a length-delimited part, beyond whose end it cannot see. */
  delimited<Result>(content: () => Result): Result {
    const length = this.varint();
    const start = this.#take(length);
    const outerEnd = this.#end;
    this.#position = start;
    this.#end = start + length;
    const result = content();
    this.#position = this.#end;
    this.#end = outerEnd;
    return result;
  }

  /** Passes over the value of a field that is not known. */
  skip(wireType: number): void {
    if (wireType === WIRE_TYPE.varint) this.bigVarint();
    else if (wireType === WIRE_TYPE.fixed64) this.#take(8);
    else if (wireType === WIRE_TYPE.fixed32) this.#take(4);
    else if (wireType === WIRE_TYPE.lengthDelimited) this.#take(this.varint());
    else throw new WireError(`a field has the wire type ${wireType}`);
  }

  #byte(): number {
    if (this.#position >= this.#end) throw new WireError('a message ends in the middle of a field');
    return this.#buffer[this.#position++] ?? 0;
  }

  #take(bytes: number): number {
    const start = this.#position;
    if (bytes > this.#end - start) throw new WireError('a field is longer than its message');
    this.#position = start + bytes;
    return start;
  }
}
