import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WardianError } from '../util/errors.ts';
import { encodeMessage } from '../util/protobuf.ts';
import { encodeFrame, FRAME_TYPE } from '../util/ttrpc/frame.ts';
import { ResponseSchema } from '../util/ttrpc/generated/ttrpc_pb.ts';
import { AgentClient } from './agent-client.ts';
import {
  CreateContainerResponseSchema,
  ListContainersResponseSchema,
  StartResponseSchema,
  StdioResponseSchema,
} from './generated/agent_pb.ts';
import { encodeOffer } from './handshake.ts';
import { STDIO_WINDOW_BYTES } from './stdio/limits.ts';
import { createChannelPair } from './testing/channel-pair.ts';
import { type SeededRandom, seededRandom } from './testing/random.ts';
import { encodeOutput } from './testing/stdio-codec.ts';

const ROUNDS = 1_500;
const NONCE = Buffer.alloc(16, 1);
const EXPECTED_CODES = ['AGENT_PROTOCOL', 'AGENT_FAILED', 'AGENT_VERSION', 'SANDBOX_DIED'];

test('whatever becomes of valid traffic, every call ends in an answer or an error of the agent', async (t) => {
  const outcomes = new Map<string, number>();
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = seededRandom(seed);
    const bytes = mutate(validTraffic(), random);
    for (const outcome of await converse(bytes, random)) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
  t.diagnostic([...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', '));
  // A fuzzer that never gets past the first check, or never breaks anything, tests nothing.
  for (const outcome of ['answered', 'AGENT_PROTOCOL', 'SANDBOX_DIED']) {
    assert.ok((outcomes.get(outcome) ?? 0) > ROUNDS / 10, `${outcome} is rare`);
  }
});

test('the traffic that is mutated is valid', async () => {
  assert.deepEqual(new Set(await converse(validTraffic(), seededRandom(0))), new Set(['answered']));
});

/** What an honest agent would send in the conversation below. */
function validTraffic(): Buffer {
  const exit = encodeMessage(StdioResponseSchema, {
    exit: { code: 3, realtimeNanoseconds: 1n << 60n },
  });
  const processes = [
    { pid: 4, started: true, exit: {} },
    { execId: 'e', stdoutAcknowledged: 5n },
  ];
  const containers = [{ id: 'web', processes }];
  const output = (stream: number, offset: number, text: string, eof: boolean) =>
    frame(7, FRAME_TYPE.data, encodeOutput({ stream, offset, data: Buffer.from(text), eof }));
  return Buffer.concat([
    encodeOffer({ version: 1, nonce: NONCE }),
    response(1, Buffer.alloc(0)),
    response(3, encodeMessage(CreateContainerResponseSchema, { pid: 4 })),
    response(5, encodeMessage(StartResponseSchema, { pid: 4 })),
    output(1, 0, 'hello', false),
    output(2, 0, 'oops', true),
    frame(7, FRAME_TYPE.data, encodeOutput({ stdinAcknowledged: 3, stdinClosed: true })),
    output(1, 5, ' world', true),
    response(9, encodeMessage(ListContainersResponseSchema, { containers })),
    response(7, exit),
  ]);
}

function response(streamId: number, payload: Uint8Array): Buffer {
  return frame(streamId, FRAME_TYPE.response, encodeMessage(ResponseSchema, { payload }));
}

function frame(streamId: number, type: number, payload: Uint8Array): Buffer {
  return Buffer.concat(encodeFrame({ streamId, type, flags: 0, payload }));
}

/** Changes, drops, repeats or swaps a few stretches of the bytes. */
function mutate(bytes: Buffer, random: SeededRandom): Buffer {
  let mutated = Buffer.from(bytes);
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(mutated.length);
    const end = Math.min(mutated.length, at + 1 + random.below(30));
    const [before, piece, after] = [
      mutated.subarray(0, at),
      mutated.subarray(at, end),
      mutated.subarray(end),
    ];
    const mutations = [
      () => [before, flipBit(piece, random), after],
      () => [before, random.bytes(piece.length), after],
      () => [before, after],
      () => [before, piece, piece, after],
      () => [before],
      () => [after, piece, before],
    ];
    mutated = Buffer.concat(mutations[random.below(mutations.length)]?.() ?? []);
    if (mutated.length === 0) return mutated;
  }
  return mutated;
}

function flipBit(piece: Buffer, random: SeededRandom): Buffer {
  const flipped = Buffer.from(piece);
  flipped[0] = (flipped[0] ?? 0) ^ (1 << random.below(8));
  return flipped;
}

/** Has the client's part of the conversation, while the guest says `bytes` and hangs up. */
async function converse(bytes: Buffer, random: SeededRandom): Promise<string[]> {
  const [near, far] = createChannelPair();
  far.on('error', () => {}); // the host may hang up first
  far.resume();
  const client = AgentClient.start(near, { knownNonce: NONCE });
  const received = { stdout: 0, stderr: 0 };
  const calls: Promise<unknown>[] = [
    client.personalize({ hostname: 'box' }),
    client.createContainer({ id: 'web' }),
    client.startContainer({ id: 'web' }),
  ];
  const stdio = client.openStdio(
    { containerId: 'web' },
    {
      onOutput(stream, offset, piece) {
        assert.equal(offset, received[stream], 'no gap and no repeat reaches the owner');
        received[stream] += piece.length;
        assert.ok(received[stream] <= STDIO_WINDOW_BYTES);
      },
      onStdinAcknowledged: (offset) => assert.ok(offset <= STDIO_WINDOW_BYTES),
      onStdinClosed: () => {},
    },
  );
  stdio.writeStdin(Buffer.from('abc'), 0);
  calls.push(client.listContainers(), stdio.exit);
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(200);
    far.write(bytes.subarray(at, end));
    at = end;
  }
  far.end();
  return (await Promise.allSettled(calls)).map(nameOutcome);
}

function nameOutcome(outcome: PromiseSettledResult<unknown>): string {
  if (outcome.status === 'fulfilled') return 'answered';
  assert.ok(outcome.reason instanceof WardianError, String(outcome.reason));
  assert.ok(EXPECTED_CODES.includes(outcome.reason.code), String(outcome.reason));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  assert.doesNotMatch(outcome.reason.message, /[\x00-\x1f\x7f]/);
  return outcome.reason.code;
}
