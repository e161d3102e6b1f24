import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { encodeMessage } from '../util/protobuf.ts';
import { encodeFrame, FRAME_TYPE, type Frame } from '../util/ttrpc/frame.ts';
import { ResponseSchema } from '../util/ttrpc/generated/ttrpc_pb.ts';
import { AgentClient } from './agent-client.ts';
import { encodeOffer } from './handshake.ts';
import { MAX_FRAME_BYTES } from './session.ts';
import { createChannelPair } from './testing/channel-pair.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import { seededRandom } from './testing/random.ts';

const nonce = Buffer.alloc(16, 7);
const noHandlers = { onOutput: () => {}, onStdinAcknowledged: () => {}, onStdinClosed: () => {} };

function startAgainst(attack: (far: Duplex) => void): AgentClient {
  const [near, far] = createChannelPair();
  far.on('data', () => {});
  far.on('error', () => {}); // the host hangs up, as it should
  const client = AgentClient.start(near, { knownNonce: nonce });
  attack(far);
  return client;
}

function wire(frame: Partial<Frame>): Buffer {
  const whole = { streamId: 1, type: FRAME_TYPE.response, flags: 0, payload: Buffer.alloc(0) };
  return Buffer.concat(encodeFrame({ ...whole, ...frame }));
}

const breaches: Record<string, Buffer> = {
  'random bytes': seededRandom(1).bytes(4096),
  'the greatest length': Buffer.from('ffffffff000000010200', 'hex'),
  'a frame longer than a guest may send': wire({ payload: Buffer.alloc(MAX_FRAME_BYTES + 1) }),
  'an offer cut into a frame': Buffer.concat([Buffer.from('\0WARDIAN-O'), Buffer.alloc(30)]),
  'an answer to a call that was never made': wire({ streamId: 3 }),
  'an answer on an even stream': wire({ streamId: 2 }),
  'two answers to one call': Buffer.concat([wire({}), wire({})]),
  'data on a call that takes none': wire({ type: FRAME_TYPE.data }),
  'a request': wire({ type: FRAME_TYPE.request }),
  'a response that is no message': wire({ payload: Buffer.from([0x0a, 0x7f]) }),
  'a payload that is no message': wire({
    payload: encodeMessage(ResponseSchema, { payload: Buffer.from([0x0a, 0x7f]) }),
  }),
};

/** The shortest elements, as many as a frame takes. */
function answerOfElements(): Buffer {
  const payload = Buffer.alloc(MAX_FRAME_BYTES - 8);
  for (let at = 0; at < payload.length; at += 2) payload[at] = 0x0a;
  return wire({ payload: encodeMessage(ResponseSchema, { payload }) });
}

test('as many objects as a frame can ask for cost little', async () => {
  const answer = answerOfElements();
  const client = startAgainst((far) => far.write(answer));
  const before = process.memoryUsage().heapUsed;
  const began = performance.now();
  const containers = await client.listContainers();
  const elapsedMs = performance.now() - began;
  assert.ok(containers.length > MAX_FRAME_BYTES / 2 - 10);
  assert.ok(process.memoryUsage().heapUsed - before < 256 * 1024 * 1024);
  assert.ok(elapsedMs < 5_000, `took ${elapsedMs} ms`);
  client.close();
});

for (const [name, bytes] of Object.entries(breaches)) {
  test(`${name}: the session ends as a breach`, async () => {
    const client = startAgainst((far) => far.write(bytes));
    const call = client.ping();
    const [outcome] = await Promise.allSettled([call]);
    const error = await client.ended;
    assert.equal(error?.code, 'AGENT_PROTOCOL');
    // In 'two answers' the first of them is good.
    if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'AGENT_PROTOCOL');
    else assert.equal(name, 'two answers to one call');
    await assert.rejects(client.ping(), { code: 'AGENT_PROTOCOL' });
  });
}

test('an agent that never offers, and one that babbles instead, is a timeout', async () => {
  const random = seededRandom(2);
  for (const babbles of [false, true]) {
    const [near, far] = createChannelPair();
    far.on('error', () => {}); // the host hangs up, as it should
    const client = AgentClient.start(near, { offerTimeoutMs: 30 });
    const call = client.ping();
    const babble = setInterval(() => babbles && far.write(random.bytes(5_000)), 1);
    await assert.rejects(call, {
      code: 'AGENT_TIMEOUT',
      message: 'the guest agent did not offer a session within 30 ms',
    });
    clearInterval(babble);
  }
});

test('an agent that stops in the middle of a frame is a timeout of the call', async () => {
  const client = startAgainst((far) =>
    far.write(wire({ payload: Buffer.alloc(100) }).subarray(0, 50)),
  );
  await assert.rejects(client.ping({ timeoutMs: 30 }), { code: 'AGENT_TIMEOUT' });
  client.close();
});

test('an offer of another version is named as such, before and within a session', async () => {
  for (const options of [{}, { knownNonce: nonce }]) {
    const [near, far] = createChannelPair();
    const client = AgentClient.start(near, options);
    new FakeAgent(far, { version: 9 });
    assert.equal((await client.ended)?.code, 'AGENT_VERSION');
  }
});

test('an agent that begins session after session is given up', async () => {
  const client = startAgainst((far) => {
    for (let round = 0; round < 100; round++) {
      far.write(encodeOffer({ version: 1, nonce: Buffer.alloc(16, round + 100) }));
    }
  });
  const error = await client.ended;
  assert.equal(error?.code, 'AGENT_PROTOCOL');
  assert.match(error.message, /new session 17 times/);
});

test('an agent that does not read is given up before it costs much memory', async () => {
  const [near] = createChannelPair();
  const client = AgentClient.start(near, { knownNonce: nonce });
  const data = Buffer.alloc(64 * 1024);
  const calls: Promise<unknown>[] = [];
  let ended = false;
  client.ended.then(() => {
    ended = true;
  });
  for (let sent = 0; sent < 1_000 && !ended; sent++) {
    calls.push(client.writeFile({ containerId: 'web', path: '/x', offset: BigInt(sent), data }));
    calls.at(-1)?.catch(() => {}); // looked at below
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await client.ended)?.code, 'AGENT_PROTOCOL');
  assert.ok(calls.length < 300, `${calls.length} pieces were queued`);
  const outcomes = await Promise.allSettled(calls);
  assert.ok(outcomes.every(({ status }) => status === 'rejected'));
});

test('stdin for an agent that does not read waits at its source', async () => {
  const [near] = createChannelPair();
  const client = AgentClient.start(near, { knownNonce: nonce });
  const stdio = client.openStdio({ containerId: 'web' }, noHandlers);
  const data = Buffer.alloc(64 * 1024);
  let offset = 0;
  while (stdio.writeStdin(data, offset)) offset += data.length;
  assert.ok(offset <= 512 * 1024, `${offset} bytes were taken`);
  assert.ok(near.writableLength <= 512 * 1024);
  client.close();
  await stdio.drained();
});

test('a flood of small frames leaves nothing behind', async () => {
  const stale = encodeOffer({ version: 1, nonce });
  const flood = Buffer.concat(Array.from({ length: 1_000 }, () => stale));
  const [near, far] = createChannelPair();
  const client = AgentClient.start(near, { knownNonce: nonce });
  const before = process.memoryUsage();
  for (let round = 0; round < 500; round++) {
    if (!far.write(flood)) await new Promise((resolve) => far.once('drain', resolve));
  }
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(grown < 64 * 1024 * 1024, `grew by ${grown} bytes for 20 MB of offers`);
  assert.equal(near.writableLength, 0);
  client.close();
});
