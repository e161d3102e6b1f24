import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  decodeMessage,
  encodeMessage,
  type Field,
  type MessageType,
} from '../util/protobuf/message.ts';
import {
  encodeFrame,
  FRAME_TYPE,
  type Frame,
  FrameError,
  FrameReader,
} from '../util/ttrpc/frame.ts';
import { Request, Response } from '../util/ttrpc/messages.ts';
import { AgentClient } from './agent-client.ts';
import { encodeAccept, encodeOffer, MarkerScanner } from './handshake.ts';
import { CALLS, StdioRequest, StdioResponse } from './messages.ts';
import { decodeStdioOutput, encodeStdioInputFrame } from './stdio/stdio-message.ts';
import { createChannelPair } from './testing/channel-pair.ts';
import { StdioInputMessage, StdioOutputMessage } from './testing/stdio-codec.ts';

const FOLDER = new URL('../../protocol/vectors/', import.meta.url);
const TYPES = new Map<string, MessageType>(
  [
    ...Object.values(CALLS).flatMap(({ request, response }) => [request, response]),
    StdioRequest,
    StdioResponse,
    StdioInputMessage,
    StdioOutputMessage,
  ].map((type) => [type.name, type as MessageType]),
);

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
  const schema = TYPES.get(values.get('message') ?? '');
  const recodeMessage = (bytes: Uint8Array): Buffer => {
    assert.ok(schema);
    const decoded = decodeMessage(schema, bytes);
    assert.deepEqual(wordsOf(schema, decoded, ''), fields);
    return encodeMessage(schema, decoded as Record<string, never>);
  };
  if (type === FRAME_TYPE.data) return recodeMessage(payload);
  if (type === FRAME_TYPE.request) {
    const request = decodeMessage(Request, payload);
    assert.equal(request.service, values.get('service'));
    assert.equal(request.method, values.get('method'));
    return encodeMessage(Request, { ...request, payload: recodeMessage(request.payload) });
  }
  const response = decodeMessage(Response, payload);
  assert.equal(
    response.status?.code,
    values.has('status.code') ? Number(values.get('status.code')) : undefined,
  );
  assert.equal(response.status?.message, values.get('status.message'));
  if (schema === undefined) return encodeMessage(Response, response);
  return encodeMessage(Response, { ...response, payload: recodeMessage(response.payload) });
}

/** The data path has a codec of its own; it must come to the same end as the general one. */
function checkHandWritten(frame: Frame, { values, bytes }: Vector): void {
  if (values.get('message') === 'StdioInput') {
    const { data, eof, ...numbers } = decodeMessage(StdioInputMessage, frame.payload);
    const encoded = encodeStdioInputFrame(frame.streamId, {
      data,
      eof,
      offset: Number(numbers.offset),
      stdoutAcknowledged: toNumber(numbers.stdoutAcknowledged),
      stderrAcknowledged: toNumber(numbers.stderrAcknowledged),
    });
    assert.deepEqual(Buffer.concat(encoded), bytes);
  } else if (values.get('message') === 'StdioOutput') {
    const general = decodeMessage(StdioOutputMessage, frame.payload);
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
function wordsOf(type: MessageType, value: Record<string, unknown>, path: string): string[] {
  const words = type.ordered.flatMap(([name, field]) => {
    const content = value[name];
    const place = `${path}.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    if (field.presence !== 'repeated') return wordsOfValue(field, content, place);
    return (content as unknown[]).flatMap((element, index) =>
      wordsOfValue({ ...field, presence: 'optional' }, element, `${place}[${index}]`),
    );
  });
  return words;
}

function wordsOfValue(field: Field, content: unknown, place: string): string[] {
  if (content === undefined) return [];
  if (typeof field.type !== 'string') {
    const words = wordsOf(field.type, content as Record<string, unknown>, place);
    return words.length === 0 ? [`${place}={}`] : words;
  }
  const word = content instanceof Uint8Array ? Buffer.from(content).toString('hex') : `${content}`;
  const isDefault = ['', '0', 'false'].includes(word);
  return field.presence === 'always' && isDefault ? [] : [`${place}=${word}`];
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
