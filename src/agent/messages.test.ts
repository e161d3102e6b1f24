import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescField, fromBinary, ScalarType, toBinary } from '@bufbuild/protobuf';
import {
  decodeMessage,
  type Encodable,
  encodeMessage,
  type Field,
  type MessageType,
} from '../util/protobuf/message.ts';
import { file_agent } from './generated/agent_pb.ts';
import { CALLS, StdioRequest, StdioResponse } from './messages.ts';
import { seededRandom } from './testing/random.ts';

const METHODS = { ...CALLS, Stdio: { request: StdioRequest, response: StdioResponse } };
const described = new Map(file_agent.messages.map((schema) => [schema.name, schema]));

test('every method of agent.proto is in the table, with its messages', () => {
  const methods = file_agent.services[0]?.methods ?? [];
  const expected = methods.map((method) => [method.name, method.input.name, method.output.name]);
  const actual = Object.entries(METHODS).map(([name, call]) => [
    name,
    call.request.name,
    call.response.name,
  ]);
  assert.deepEqual(actual.sort(), expected.sort());
});

test('every message has the fields of agent.proto', () => {
  const types = reachableTypes();
  // The two data frames have a codec of their own, see stdio-message.ts.
  const expected = [...described.keys()].filter((name) => !/^Stdio(In|Out)put$/.test(name));
  assert.deepEqual([...types.keys()].sort(), expected.sort());
  for (const [name, type] of types) {
    const fields = type.ordered.map(([fieldName, field]) => describeOurs(fieldName, field));
    assert.deepEqual(fields, described.get(name)?.fields.map(describeTheirs), name);
  }
});

test('messages of any content travel between this codec and another', () => {
  const random = seededRandom(7);
  for (const [name, type] of reachableTypes()) {
    const schema = described.get(name);
    assert.ok(schema);
    for (let round = 0; round < 60; round++) {
      const value = randomMessage(type, random) as Encodable<MessageType>;
      const ours = encodeMessage(type, value);
      assert.deepEqual(ours, Buffer.from(toBinary(schema, create(schema, value))), name);
      const back: unknown = decodeMessage(type, toBinary(schema, fromBinary(schema, ours)));
      assert.deepEqual(encodeMessage(type, back as Encodable<MessageType>), ours, name);
    }
  }
});

function reachableTypes(): Map<string, MessageType> {
  const types = new Map<string, MessageType>();
  const visit = (type: MessageType): void => {
    types.set(type.name, type);
    for (const [, field] of type.ordered) {
      if (typeof field.type !== 'string') visit(field.type);
    }
  };
  for (const call of Object.values(METHODS)) {
    visit(call.request);
    visit(call.response);
  }
  return types;
}

function describeOurs(name: string, { number, type, presence }: Field): string {
  const typeName = typeof type === 'string' ? type : type.name;
  return `${number} ${presence} ${typeName} ${name}`;
}

function describeTheirs(field: DescField): string {
  const describe = (presence: string, type: string): string =>
    `${field.number} ${presence} ${type} ${field.localName}`;
  if (field.fieldKind === 'message') return describe('optional', field.message.name);
  if (field.fieldKind === 'list') {
    const element = field.listKind === 'message' ? field.message.name : scalarName(field.scalar);
    return describe('repeated', element);
  }
  // Explicit presence is 1 in protobuf's own numbering, implicit presence 2.
  return describe(field.presence === 1 ? 'optional' : 'always', scalarName(field.scalar));
}

function scalarName(type: ScalarType | undefined): string {
  return type === undefined ? 'unknown' : (ScalarType[type] ?? 'unknown').toLowerCase();
}

type Random = ReturnType<typeof seededRandom>;

function randomMessage(type: MessageType, random: Random): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [name, field] of type.ordered) {
    if (random.below(4) === 0) continue;
    if (field.presence !== 'repeated') value[name] = randomValue(field, random);
    else value[name] = Array.from({ length: random.below(4) }, () => randomValue(field, random));
  }
  return value;
}

function randomValue(field: Field, random: Random): unknown {
  if (typeof field.type !== 'string') return randomMessage(field.type, random);
  const bits = BigInt(random.below(2 ** 32)) >> BigInt(random.below(32));
  switch (field.type) {
    case 'uint32':
      return Number(bits);
    case 'sint32':
      return Number(bits) - 2 ** 31;
    case 'uint64':
    case 'fixed64':
      return (bits << 32n) >> BigInt(random.below(64));
    case 'bool':
      return random.below(2) === 1;
    case 'string':
      return 'ä-string '.repeat(random.below(40));
    case 'bytes':
      return random.bytes(random.below(20_000));
  }
}
