import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { AgentClient } from '../agent-client.ts';
import { ExitStatusSchema } from '../generated/agent_pb.ts';
import { createChannelPair } from '../testing/channel-pair.ts';
import { FakeAgent, type FakeStdio } from '../testing/fake-agent.ts';
import { decodeInput, encodeOutput } from '../testing/stdio-codec.ts';
import { STDIO_FRAME_BYTES, STDIO_WINDOW_BYTES } from './limits.ts';
import type { OutputName, StdioHandlers, StdioOptions } from './stdio-stream.ts';

type Input = ReturnType<typeof decodeInput>;
const container = { containerId: 'web' };

/** A stream between a client and a guest whose part is played by `play`. */
function openPair(
  play: (guest: FakeStdio) => void,
  handlers: Partial<StdioHandlers> = {},
  options: Partial<StdioOptions> = {},
) {
  const [near, far] = createChannelPair();
  new FakeAgent(far, { onStdio: play });
  const client = AgentClient.start(near);
  const output = { stdout: '', stderr: '', ends: [] as OutputName[] };
  const stdio = client.openStdio(
    { ...container, ...options },
    {
      onOutput(stream, _offset, bytes, eof) {
        output[stream] += Buffer.from(bytes).toString();
        if (eof) output.ends.push(stream);
      },
      onStdinAcknowledged() {},
      onStdinClosed() {},
      ...handlers,
    },
  );
  return { client, stdio, output };
}

test('output comes in order, and the exit status after it', async () => {
  const { client, stdio, output } = openPair((guest) => {
    guest.send(encodeOutput({ stream: 1, data: Buffer.from('out') }));
    guest.send(encodeOutput({ stream: 2, data: Buffer.from('err'), eof: true }));
    guest.send(encodeOutput({ stream: 1, offset: 3, data: Buffer.from('put'), eof: true }));
    guest.exit({ code: 137, signal: 9, outOfMemory: true, realtimeNanoseconds: 5n });
  });
  const expected = { code: 137, signal: 9, outOfMemory: true, realtimeNanoseconds: 5n };
  assert.deepEqual(await stdio.exit, create(ExitStatusSchema, expected));
  assert.deepEqual(output, { stdout: 'output', stderr: 'err', ends: ['stderr', 'stdout'] });
  client.close();
});

test('bytes that come twice are passed over, an end that comes twice is said once', async () => {
  const { client, stdio, output } = openPair(
    (guest) => {
      guest.send(encodeOutput({ stream: 1, offset: 10, data: Buffer.from('hel') }));
      guest.send(encodeOutput({ stream: 1, offset: 11, data: Buffer.from('ello'), eof: true }));
      guest.send(encodeOutput({ stream: 1, offset: 12, data: Buffer.from('llo'), eof: true }));
      guest.exit({});
    },
    {},
    { stdoutOffset: 10 },
  );
  await stdio.exit;
  assert.deepEqual(output, { stdout: 'hello', stderr: '', ends: ['stdout'] });
  client.close();
});

test('stdin is cut into frames, kept within the window, and ended once', async () => {
  const inputs: Input[] = [];
  const size = STDIO_WINDOW_BYTES * 3 + 5;
  let unacknowledged = 0;
  const { client, stdio } = openPair((guest) => {
    guest.onInput = (payload) => {
      const input = decodeInput(payload);
      inputs.push(input);
      const end = Number(input.offset) + input.data.length;
      unacknowledged += input.data.length;
      assert.ok(unacknowledged <= STDIO_WINDOW_BYTES);
      if (unacknowledged === STDIO_WINDOW_BYTES || input.eof) {
        unacknowledged = 0;
        guest.send(encodeOutput({ stdinAcknowledged: end }));
      }
      if (input.eof) guest.exit({});
    };
  });
  const roomy = stdio.writeStdin(Buffer.alloc(size, 'x'), 0);
  assert.equal(roomy, false);
  stdio.endStdin(size);
  await stdio.drained();
  await stdio.exit;
  assert.ok(inputs.every(({ data }) => data.length <= STDIO_FRAME_BYTES));
  assert.equal(
    inputs.reduce((sum, { data }) => sum + data.length, 0),
    size,
  );
  assert.equal(inputs.filter(({ eof }) => eof).length, 1);
  assert.equal(inputs.at(-1)?.eof, true);
  client.close();
});

test('a writer that repeats itself is heard once, one that leaves a gap is told', async () => {
  const received: string[] = [];
  const { client, stdio } = openPair((guest) => {
    guest.onInput = (payload) => {
      const input = decodeInput(payload);
      received.push(Buffer.from(input.data).toString());
      if (input.eof) guest.exit({});
    };
  });
  stdio.writeStdin(Buffer.from('abc'), 0);
  stdio.writeStdin(Buffer.from('bcd'), 1);
  assert.throws(() => stdio.writeStdin(Buffer.from('x'), 5), { code: 'INTERNAL' });
  stdio.endStdin(4);
  stdio.endStdin(4);
  assert.throws(() => stdio.writeStdin(Buffer.from('x'), 4), { code: 'INTERNAL' });
  await stdio.exit;
  assert.equal(received.join(''), 'abcd');
  client.close();
});

test('a host that takes over sends again what the guest has taken meanwhile, but only the rest travels', async () => {
  const received: Input[] = [];
  const { client, stdio } = openPair(
    (guest) => {
      guest.send(encodeOutput({ stdinAcknowledged: 103 }));
      guest.onInput = (payload) => {
        received.push(decodeInput(payload));
        guest.exit({});
      };
    },
    { onStdinAcknowledged: () => void stdio.writeStdin(Buffer.from('abcdef'), 100) },
    { stdinOffset: 100 },
  );
  await stdio.exit;
  assert.equal(Buffer.from(received[0]?.data ?? []).toString(), 'def');
  assert.equal(received[0]?.offset, 103n);
  client.close();
});

for (const lastPiece of [1, STDIO_FRAME_BYTES]) {
  test(`acknowledgements of one turn are one frame, the last of ${lastPiece} bytes`, async () => {
    const heard: Input[] = [];
    const { client, stdio } = openPair(
      (guest) => {
        guest.onInput = (payload) => {
          heard.push(decodeInput(payload));
          setTimeout(() => guest.exit({}), 10);
        };
        for (const offset of [0, 1, 2]) {
          guest.send(encodeOutput({ stream: 1, offset, data: Buffer.from('x') }));
        }
        guest.send(encodeOutput({ stream: 2, data: Buffer.alloc(lastPiece) }));
      },
      { onOutput: (name, offset, bytes) => stdio.acknowledge(name, offset + bytes.length) },
    );
    await stdio.exit;
    assert.deepEqual(
      heard.map((input) => [input.stdoutAcknowledged, input.stderrAcknowledged]),
      [[3n, BigInt(lastPiece)]],
    );
    assert.throws(() => stdio.acknowledge('stdout', 4), RangeError);
    client.close();
  });
}

test('when nobody reads stdin, what waits is dropped and writers go on', async () => {
  let closed = 0;
  const { client, stdio } = openPair(
    (guest) => {
      guest.send(encodeOutput({ stdinClosed: true }));
      guest.send(encodeOutput({ stdinClosed: true }));
    },
    { onStdinClosed: () => closed++ },
  );
  stdio.writeStdin(Buffer.alloc(STDIO_WINDOW_BYTES * 2), 0);
  await stdio.drained();
  assert.equal(closed, 1);
  assert.equal(
    stdio.writeStdin(Buffer.alloc(STDIO_WINDOW_BYTES * 4), STDIO_WINDOW_BYTES * 2),
    true,
  );
  stdio.close();
  await assert.rejects(stdio.exit, { code: 'CANCELLED' });
  await client.ping();
  client.close();
});

const breaches: Record<string, (guest: FakeStdio) => void> = {
  'a gap in stdout': (guest) =>
    guest.send(encodeOutput({ stream: 1, offset: 1, data: Buffer.from('x') })),
  'an offset of 2^53': (guest) => guest.send(encodeOutput({ stream: 1, offset: 2 ** 53 })),
  'more than the window': (guest) => {
    for (let offset = 0; offset <= STDIO_WINDOW_BYTES; offset += STDIO_FRAME_BYTES) {
      guest.send(encodeOutput({ stream: 1, offset, data: Buffer.alloc(STDIO_FRAME_BYTES) }));
    }
  },
  'a frame of more than 64 KiB': (guest) =>
    guest.send(encodeOutput({ stream: 1, data: Buffer.alloc(STDIO_FRAME_BYTES + 1) })),
  'bytes after the end': (guest) => {
    guest.send(encodeOutput({ stream: 1, data: Buffer.from('a'), eof: true }));
    guest.send(encodeOutput({ stream: 1, offset: 1, data: Buffer.from('b') }));
  },
  'an end before what came': (guest) => {
    guest.send(encodeOutput({ stream: 1, data: Buffer.from('abc') }));
    guest.send(encodeOutput({ stream: 1, offset: 1, eof: true }));
  },
  'a third stream': (guest) => guest.send(encodeOutput({ stream: 3, data: Buffer.from('a') })),
  'bytes of no stream': (guest) => guest.send(encodeOutput({ data: Buffer.from('a') })),
  'an acknowledgement of what was not sent': (guest) =>
    guest.send(encodeOutput({ stdinAcknowledged: STDIO_WINDOW_BYTES + 1 })),
  'a message that is none': (guest) => guest.send(Buffer.from([0x0a])),
  'data after the exit': (guest) => {
    guest.exit({});
    guest.send(encodeOutput({ stream: 1 }));
  },
};

for (const [name, play] of Object.entries(breaches)) {
  test(`${name} ends the session as a breach`, async () => {
    const { client, stdio } = openPair(play);
    const error = await client.ended;
    assert.equal(error?.code, 'AGENT_PROTOCOL');
    await assert.rejects(client.ping(), { code: 'AGENT_PROTOCOL' });
    await stdio.exit.catch(() => {}); // only 'data after the exit' has one
  });
}

test('streams on a channel that is gone fail like those that were open, and throw at nobody', async () => {
  const { client, stdio } = openPair(() => {});
  client.close();
  await assert.rejects(stdio.exit, { code: 'CANCELLED' });
  const handlers = { onOutput() {}, onStdinAcknowledged() {}, onStdinClosed() {} };
  const late = client.openStdio(container, handlers);
  assert.equal(late.writeStdin(Buffer.from('x'), 0), true);
  late.acknowledge('stdout', 0);
  late.close();
  await late.drained();
  await assert.rejects(late.exit, { code: 'CANCELLED' });
});
