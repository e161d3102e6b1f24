/**
 * The two messages of the data path, field by field: the library's general way copies what they carry,
 * and takes longer over a frame than all the rest of its way here.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { readHostile, viewBytes, WireError } from '../../util/protobuf.ts';
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

const NOTHING = Buffer.alloc(0);

/** A whole frame as buffers for a gathered write, `data` among them as it is; fields stand in the order of their numbers. */
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
  return [head, viewBytes(data), viewBytes(end)];
}

function encodeDataHeader(length: number): Uint8Array {
  return new BinaryWriter().tag(1, WireType.LengthDelimited).uint32(length).finish();
}

function encodeAfterData(input: StdioInput): Uint8Array {
  const { offset, eof, stdoutAcknowledged, stderrAcknowledged } = input;
  const writer = new BinaryWriter();
  if (offset > 0) writer.tag(2, WireType.Varint).uint64(offset);
  if (eof) writer.tag(3, WireType.Varint).bool(true);
  if (stdoutAcknowledged !== undefined) writer.tag(4, WireType.Varint).uint64(stdoutAcknowledged);
  if (stderrAcknowledged !== undefined) writer.tag(5, WireType.Varint).uint64(stderrAcknowledged);
  return writer.finish();
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
  return readHostile(() => {
    const reader = new BinaryReader(payload);
    while (reader.pos < reader.len) readOutputField(reader, output);
    return output;
  });
}

function readOutputField(reader: BinaryReader, output: StdioOutput): void {
  const [field, wireType] = reader.tag();
  const expected = field === 3 ? WireType.LengthDelimited : WireType.Varint;
  if (field <= 6 && wireType !== expected) {
    throw new WireError(`field ${field} of a StdioOutput has the wire type ${wireType}`);
  }
  switch (field) {
    case 1:
      output.stream = reader.uint32();
      break;
    case 2:
      output.offset = readOffset(reader);
      break;
    case 3:
      output.data = viewBytes(reader.bytes());
      break;
    case 4:
      output.eof = reader.bool();
      break;
    case 5:
      output.stdinAcknowledged = readOffset(reader);
      break;
    case 6:
      output.stdinClosed = reader.bool();
      break;
    default:
      reader.skip(wireType, field);
  }
}

function readOffset(reader: BinaryReader): number {
  const offset = Number(reader.uint64());
  if (!Number.isSafeInteger(offset)) throw new WireError('an offset is 2^53 or more');
  return offset;
}
