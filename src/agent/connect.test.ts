import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectToUnknownAgent } from './connect.ts';
import { createChannelPair } from './testing/channel-pair.ts';
import { FakeAgent } from './testing/fake-agent.ts';

test('an agent that offers at once is met at the first attempt', async () => {
  let attempts = 0;
  const client = await connectToUnknownAgent(async () => {
    attempts++;
    const [near, far] = createChannelPair();
    new FakeAgent(far);
    return near;
  });
  await client.ping();
  assert.equal(attempts, 1);
  client.close();
});

test('the host sends nothing and hangs up until an offer comes, even behind half a frame', async () => {
  const agents: FakeAgent[] = [];
  const client = await connectToUnknownAgent(async () => {
    const [near, far] = createChannelPair();
    const agent = new FakeAgent(far, { offers: false });
    agents.push(agent);
    if (agents.length === 2) {
      agent.send(Buffer.from('\0WARDIAN-OFF half a frame of another session'));
      agent.offer();
    }
    return near;
  });
  await client.ping();
  assert.equal(agents.length, 2);
  assert.deepEqual(agents[0]?.chunkBytes, [], 'nothing was sent to the silent agent');
  client.close();
});

test('an agent that stays silent is given up with AGENT_TIMEOUT', async () => {
  const open = async () => createChannelPair()[0];
  const begin = performance.now();
  await assert.rejects(connectToUnknownAgent(open, { timeoutMs: 250 }), { code: 'AGENT_TIMEOUT' });
  assert.ok(performance.now() - begin < 2_000);
});

test('connecting can be cancelled, and an agent of another version is no reason to try again', async () => {
  const controller = new AbortController();
  const open = async () => createChannelPair()[0];
  const connecting = connectToUnknownAgent(open, { signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  await assert.rejects(connecting, { code: 'CANCELLED' });

  const openForeign = async () => {
    const [near, far] = createChannelPair();
    new FakeAgent(far, { version: 2 });
    return near;
  };
  await assert.rejects(connectToUnknownAgent(openForeign), {
    code: 'AGENT_VERSION',
    message: 'the guest agent speaks version 2 of the protocol, this host version 1',
  });
});
