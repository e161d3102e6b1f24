/**
 * The two messages of the data path, by hand: the bytes that they carry are neither copied
 * when they are sent nor when they are received.
 */
import { WIRE_TYPE, WireError, WireReader, WireWriter } from '../../util/protobuf/wire.ts';
import { FRAME_HEADER_BYTES, FRAME_TYPE } from '../../util/ttrpc/frame.ts';

export interface StdioInput {
  data: Uint8Array;
  /** Of `data[0]` in stdin. */
  offset: number;
  eof: boolean;
  stdoutAcknowledged?: number | undefined;
  stderrAcknowledged?: number | undefined;
}

export interface StdioOutput {
  /** 1 stdout, 2 stderr, 0: no data in this frame. */
  stream: number;
  offset: number;
  data: Buffer;
  eof: boolean;
  stdinAcknowledged: number | undefined;
  stdinClosed: boolean;
}

const writer = new WireWriter();

/** A whole frame as buffers for a gathered write; fields stand in the order of their numbers. */
export function encodeStdioInputFrame(streamId: number, input: StdioInput): Buffer[] {
  const { data } = input;
  const start = data.length === 0 ? NOTHING : encodeDataHeader(data.length);
  const end = encodeAfterData(input);
  const head = Buffer.allocUnsafe(FRAME_HEADER_BYTES + start.length);
  head.writeUInt32BE(start.length + data.length + end.length, 0);
  head.writeUInt32BE(streamId, 4);
  head[8] = FRAME_TYPE.data;
  head[9] = 0;
  head.set(start, FRAME_HEADER_BYTES);
  if (data.length === 0) return [Buffer.concat([head, end])];
  return [head, Buffer.from(data.buffer, data.byteOffset, data.length), end];
}

const NOTHING = Buffer.alloc(0);

function encodeDataHeader(length: number): Buffer {
  writer.tag(1, WIRE_TYPE.lengthDelimited);
  writer.varint(length);
  return writer.finish();
}

function encodeAfterData(input: StdioInput): Buffer {
  if (input.offset > 0) writeNumber(2, input.offset);
  if (input.eof) writeNumber(3, 1);
  if (input.stdoutAcknowledged !== undefined) writeNumber(4, input.stdoutAcknowledged);
  if (input.stderrAcknowledged !== undefined) writeNumber(5, input.stderrAcknowledged);
  return writer.finish();
}

function writeNumber(fieldNumber: number, value: number): void {
  writer.tag(fieldNumber, WIRE_TYPE.varint);
  writer.varint(value);
}

/** Decodes hostile input: throws WireError unless it is such a message. `data` is a view of `payload`. */
export function decodeStdioOutput(payload: Buffer): StdioOutput {
  const output: StdioOutput = {
    stream: 0,
    offset: 0,
    data: NOTHING,
    eof: false,
    stdinAcknowledged: undefined,
    stdinClosed: false,
  };
  const reader = new WireReader(payload);
  while (!reader.atEnd) readOutputField(reader, output);
  return output;
}

function readOutputField(reader: WireReader, output: StdioOutput): void {
  const tag = reader.varint();
  switch (tag) {
    case tagOf(1, WIRE_TYPE.varint):
      output.stream = reader.varint();
      break;
    case tagOf(2, WIRE_TYPE.varint):
      output.offset = reader.varint();
      break;
    case tagOf(3, WIRE_TYPE.lengthDelimited):
      output.data = reader.bytes();
      break;
    case tagOf(4, WIRE_TYPE.varint):
      output.eof = reader.varint() !== 0;
      break;
    case tagOf(5, WIRE_TYPE.varint):
      output.stdinAcknowledged = reader.varint();
      break;
    case tagOf(6, WIRE_TYPE.varint):
      output.stdinClosed = reader.varint() !== 0;
      break;
    default:
      skipUnknown(reader, tag);
  }
}

function skipUnknown(reader: WireReader, tag: number): void {
  const fieldNumber = Math.floor(tag / 8);
  if (fieldNumber >= 1 && fieldNumber <= 6) {
    throw new WireError(`field ${fieldNumber} of a StdioOutput has the wire type ${tag % 8}`);
  }
  reader.skip(tag % 8);
}

function tagOf(fieldNumber: number, wireType: number): number {
  return fieldNumber * 8 + wireType;
}
