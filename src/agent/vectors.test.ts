import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isReflectMessage, type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { decodeMessage, encodeMessage, viewBytes } from '../util/protobuf.ts';
import {
  encodeFrame,
  FRAME_TYPE,
  type Frame,
  FrameError,
  FrameReader,
} from '../util/ttrpc/frame.ts';
import { RequestSchema, ResponseSchema } from '../util/ttrpc/generated/ttrpc_pb.ts';
import { AgentClient } from './agent-client.ts';
import { file_agent, StdioInputSchema, StdioOutputSchema } from './generated/agent_pb.ts';
import { encodeAccept, encodeOffer, MarkerScanner } from './handshake.ts';
import { decodeStdioOutput, encodeStdioInputFrame } from './stdio/stdio-message.ts';
import { createChannelPair } from './testing/channel-pair.ts';

const FOLDER = new URL('../../protocol/vectors/', import.meta.url);
const SCHEMAS = new Map(file_agent.messages.map((schema) => [schema.name, schema]));

interface Vector {
  name: string;
  values: Map<string, string>;
  /** Lines `.path=value`, as they stand. */
  fields: string[];
  bytes: Buffer;
}

for (const vector of loadVectors()) {
  const { values, name } = vector;
  const verdict = values.get('verdict');
  if (values.get('kind') !== 'frame') {
    test(`${name}: the marker is read and written`, () => checkMarker(vector));
  } else if (verdict === 'valid') {
    test(`${name}: means what it says, and is written the same`, () => checkFrame(vector));
  } else if (values.get('from') === 'agent') {
    test(`${name}: ends the session`, () => checkBreach(vector.bytes));
  }
  // What a host sends wrong is for the agent to refuse; its own tests read those vectors.
}

function checkMarker({ values, bytes }: Vector): void {
  const nonce = Buffer.from(values.get('nonce') ?? '', 'hex');
  const version = Number(values.get('version'));
  const kind = values.get('kind') === 'offer' ? 'offer' : 'accept';
  const found = new MarkerScanner(kind).push(bytes);
  assert.deepEqual(found?.marker, { version, nonce });
  assert.equal(found.rest.length, 0);
  if (kind === 'offer') assert.deepEqual(encodeOffer({ version, nonce }), bytes);
  else if (values.get('verdict') === 'valid') assert.deepEqual(encodeAccept(nonce), bytes);
}

function checkFrame(vector: Vector): void {
  const { values, bytes } = vector;
  const frame = readFrame(bytes, bytes.length);
  assert.deepEqual(readFrame(bytes, 1), frame, 'byte by byte');
  const header = [frame.streamId, frame.type, frame.flags, frame.payload.length];
  const named = ['stream', 'type', 'flags', 'length'].map((key) => Number(values.get(key)));
  assert.deepEqual(header, named);
  const payload = recode(frame, vector);
  assert.deepEqual(Buffer.concat(encodeFrame({ ...frame, payload })), bytes);
  checkHandWritten(frame, vector);
}

/** Decodes the frame's message, compares it with the vector's words, and encodes it again. */
function recode({ type, payload }: Frame, { values, fields }: Vector): Buffer {
  const schema = SCHEMAS.get(values.get('message') ?? '');
  const recodeMessage = (bytes: Uint8Array): Buffer => {
    assert.ok(schema);
    const decoded = decodeMessage(schema, bytes);
    assert.deepEqual(wordsOf(reflect(schema, decoded), ''), fields);
    return encodeMessage(schema, decoded);
  };
  if (type === FRAME_TYPE.data) return recodeMessage(payload);
  if (type === FRAME_TYPE.request) {
    const request = decodeMessage(RequestSchema, payload);
    assert.equal(request.service, values.get('service'));
    assert.equal(request.method, values.get('method'));
    return encodeMessage(RequestSchema, { ...request, payload: recodeMessage(request.payload) });
  }
  const response = decodeMessage(ResponseSchema, payload);
  assert.equal(
    response.status?.code,
    values.has('status.code') ? Number(values.get('status.code')) : undefined,
  );
  assert.equal(response.status?.message, values.get('status.message'));
  if (schema === undefined) return encodeMessage(ResponseSchema, response);
  return encodeMessage(ResponseSchema, { ...response, payload: recodeMessage(response.payload) });
}

/** The data path has a codec of its own; it must come to the same end as the general one. */
function checkHandWritten(frame: Frame, { values, bytes }: Vector): void {
  if (values.get('message') === 'StdioInput') {
    const { data, eof, ...numbers } = decodeMessage(StdioInputSchema, frame.payload);
    const encoded = encodeStdioInputFrame(frame.streamId, {
      data,
      eof,
      offset: Number(numbers.offset),
      stdoutAcknowledged: toNumber(numbers.stdoutAcknowledged),
      stderrAcknowledged: toNumber(numbers.stderrAcknowledged),
    });
    assert.deepEqual(Buffer.concat(encoded), bytes);
  } else if (values.get('message') === 'StdioOutput') {
    const { $typeName: _, ...general } = decodeMessage(StdioOutputSchema, frame.payload);
    assert.deepEqual(decodeStdioOutput(frame.payload as Buffer), {
      ...general,
      data: Buffer.from(general.data),
      offset: Number(general.offset),
      stdinAcknowledged: toNumber(general.stdinAcknowledged),
    });
  }
}

async function checkBreach(bytes: Buffer): Promise<void> {
  const [near, far] = createChannelPair();
  const client = AgentClient.start(near, { knownNonce: Buffer.alloc(16) });
  far.write(bytes);
  assert.equal((await client.ended)?.code, 'AGENT_PROTOCOL');
}

function readFrame(bytes: Buffer, pieceBytes: number): Frame {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    frames.push(...reader.push(bytes.subarray(at, at + pieceBytes)));
  }
  const [frame] = frames;
  if (frame === undefined || frames.length !== 1) throw new FrameError('not one frame');
  return frame;
}

/** A message in the words of the vectors: `.process.args[0]=true`. */
function wordsOf(message: ReflectMessage, path: string): string[] {
  return message.fields.flatMap((field) => {
    const place = `${path}.${field.name}`;
    if (!message.isSet(field)) return [];
    const content: unknown = message.get(field);
    if (field.fieldKind !== 'list') return wordsOfValue(content, place);
    return [...(content as Iterable<unknown>)].flatMap((element, index) =>
      wordsOfValue(element, `${place}[${index}]`),
    );
  });
}

function wordsOfValue(content: unknown, place: string): string[] {
  if (isReflectMessage(content)) {
    const words = wordsOf(content, place);
    return words.length === 0 ? [`${place}={}`] : words;
  }
  return [
    `${place}=${content instanceof Uint8Array ? viewBytes(content).toString('hex') : content}`,
  ];
}

function toNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function loadVectors(): Vector[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
  assert.ok(names.length > 0, 'there are vectors');
  return names.sort().map((name) => parseVector(name, readFileSync(new URL(name, FOLDER), 'utf8')));
}

function parseVector(name: string, text: string): Vector {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const start = lines.indexOf('hex:');
  const pairs = lines.slice(0, start);
  const bytes = Buffer.concat(lines.slice(start + 1).map(parseDigits));
  const values = new Map(
    pairs.map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)]),
  );
  return { name, values, fields: pairs.filter((pair) => pair.startsWith('.')), bytes };
}

function parseDigits(line: string): Buffer {
  const [digits = '', times = '1'] = line.replace(/\s/g, '').split('*');
  return Buffer.concat(Array.from({ length: Number(times) }, () => Buffer.from(digits, 'hex')));
}
