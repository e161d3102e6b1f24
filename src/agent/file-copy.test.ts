import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATUS_CODE } from '../util/ttrpc/status-code.ts';
import { AgentClient } from './agent-client.ts';
import { copyFileIn, copyFileOut } from './file-copy.ts';
import { createChannelPair } from './testing/channel-pair.ts';
import { FakeAgent, type FakeAgentOptions, FakeStatus } from './testing/fake-agent.ts';
import { seededRandom } from './testing/random.ts';

const file = { containerId: 'web', path: '/etc/data', mode: 0o640, uid: 1, gid: 2 };

/** A guest with one file. */
function startGuest(initial: Buffer, answers: FakeAgentOptions['answers'] = {}) {
  const guest = { content: initial, largestPiece: 0 };
  const [near, far] = createChannelPair();
  new FakeAgent(far, {
    answers: {
      writeFile: ({ offset, data }) => {
        guest.largestPiece = Math.max(guest.largestPiece, data.length);
        const before = offset === 0n ? Buffer.alloc(0) : guest.content;
        assert.equal(BigInt(before.length), offset, 'pieces come in order');
        guest.content = Buffer.concat([before, data]);
        return {};
      },
      readFile: ({ offset, length }) => {
        const start = Number(offset);
        const data = guest.content.subarray(start, start + length);
        const eof = start + length >= guest.content.length;
        return { data, sizeBytes: BigInt(guest.content.length), mode: 0o640, eof };
      },
      ...answers,
    },
  });
  return { client: AgentClient.start(near), guest };
}

for (const size of [0, 1, 65_536, 65_537, 1_000_000]) {
  test(`a file of ${size} bytes comes in and goes out whole`, async () => {
    const content = seededRandom(size).bytes(size);
    const { client, guest } = startGuest(Buffer.from('what was there before'));
    assert.equal(await copyFileIn(client, { ...file, content: [content] }), size);
    assert.ok(guest.content.equals(content));
    assert.ok(guest.largestPiece <= 65_536);
    const pieces: Uint8Array[] = [];
    const copied = await copyFileOut(client, {
      ...file,
      write: (piece) => void pieces.push(piece),
    });
    assert.ok(Buffer.concat(pieces).equals(content));
    assert.deepEqual(copied, { mode: 0o640, sizeBytes: size });
    client.close();
  });
}

test('a failed write ends the copy', async () => {
  const full = new FakeStatus(STATUS_CODE.resourceExhausted, 'no space left on device');
  const { client } = startGuest(Buffer.alloc(0), { writeFile: () => full });
  const copy = copyFileIn(client, { ...file, content: [Buffer.alloc(1_000_000)] });
  await assert.rejects(copy, { message: /could not write \/etc\/data in container web: no space/ });
  client.close();
});

test('a file without end is read until the reader has enough', async () => {
  const zeros = Buffer.alloc(65_536);
  const endless = () => ({ data: zeros, sizeBytes: 0n, mode: 0o666, eof: false });
  const { client } = startGuest(Buffer.alloc(0), { readFile: endless });
  let read = 0;
  const copy = copyFileOut(client, {
    ...file,
    write: (piece) => {
      read += piece.length;
      if (read >= 1_000_000) throw new Error('enough');
    },
  });
  await assert.rejects(copy, /enough/);
  client.close();
});

test('a guest that answers with more than was asked breaks the protocol', async () => {
  const answer = () => ({ data: Buffer.alloc(65_537), sizeBytes: 65_537n, eof: true });
  const { client } = startGuest(Buffer.alloc(0), { readFile: answer });
  await assert.rejects(copyFileOut(client, { ...file, write: () => {} }), {
    code: 'AGENT_PROTOCOL',
  });
  client.close();
});

test('a file that shrinks while it is read is not taken for whole', async () => {
  const answer = () => ({ data: Buffer.alloc(10), sizeBytes: 100_000n, eof: false });
  const { client } = startGuest(Buffer.alloc(0), { readFile: answer });
  await assert.rejects(copyFileOut(client, { ...file, write: () => {} }), {
    message: /it changed/,
  });
  client.close();
});
