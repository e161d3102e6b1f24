import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { WardianError } from '../util/errors.ts';
import { STATUS_CODE } from '../util/ttrpc/status-code.ts';
import { AgentClient, type AgentClientOptions } from './agent-client.ts';
import { hasAgentStatus, isSessionRestart } from './failures.ts';
import { createChannelPair } from './testing/channel-pair.ts';
import { FakeAgent, type FakeAgentOptions, FakeStatus } from './testing/fake-agent.ts';

function startPair(
  agentOptions: FakeAgentOptions = {},
  clientOptions: AgentClientOptions = {},
): { client: AgentClient; agent: FakeAgent } {
  const [near, far] = createChannelPair();
  const client = AgentClient.start(near, { offerTimeoutMs: 2_000, ...clientOptions });
  return { client, agent: new FakeAgent(far, agentOptions) };
}

const noHandlers = { onOutput: () => {}, onStdinAcknowledged: () => {}, onStdinClosed: () => {} };

test('calls that are made before the offer came are answered after it', async () => {
  const { client, agent } = startPair({ answers: { ping: () => ({ agentVersion: '1.2' }) } });
  const pong = await client.ping();
  assert.equal(pong.agentVersion, '1.2');
  assert.equal(pong.memoryTotalBytes, 0n);
  assert.deepEqual(agent.calls, ['Ping']);
  client.close();
  assert.equal(await client.ended, undefined);
});

test('with a known nonce the accept and all first requests leave in one write', async () => {
  const nonce = randomBytes(16);
  const { client, agent } = startPair({ nonce, offers: false }, { knownNonce: nonce });
  const answers = [
    client.personalize({ entropy: randomBytes(32), realtimeNanoseconds: 1n }),
    client.createContainer({ id: 'web', process: { args: ['true'] } }),
    client.startContainer({ id: 'web' }),
    client.openStdio({ containerId: 'web' }, noHandlers).exit,
  ];
  await Promise.all(answers);
  assert.deepEqual(agent.calls, ['Personalize', 'CreateContainer', 'StartContainer', 'Stdio']);
  assert.equal(agent.chunkBytes.length, 1);
  client.close();
});

test('an offer whose nonce was accepted already is passed over', async () => {
  const nonce = randomBytes(16);
  const { client, agent } = startPair({ nonce }, { knownNonce: nonce });
  await client.ping();
  agent.offer();
  await client.ping();
  client.close();
});

test('a status becomes an error with the code and the cleaned words of the agent', async () => {
  const hostile = `no such\u001b[31m thing\u202e\n${'x'.repeat(10_000)}`;
  const { client } = startPair({
    answers: { signalProcess: () => new FakeStatus(STATUS_CODE.notFound, hostile) },
  });
  const call = client.signalProcess({ containerId: 'web', signal: 15 });
  await assert.rejects(call, (error: WardianError) => {
    assert.equal(error.code, 'AGENT_FAILED');
    assert.match(
      error.message,
      /^the guest could not send signal 15 to container web: no such\[31m thingxxx/,
    );
    assert.ok(error.message.length < 600);
    assert.ok(hasAgentStatus(error, 'notFound'));
    assert.ok(!hasAgentStatus(error, 'internal'));
    return true;
  });
  await client.ping();
  client.close();
});

test('a command that cannot be run is an answer', async () => {
  const answer = () => ({ pid: 7, execErrno: 2, execMessage: 'nosuch:\u0007 not found' });
  const { client } = startPair({ answers: { startContainer: answer } });
  const { pid, execErrno, execMessage } = await client.startContainer({ id: 'web' });
  assert.deepEqual([pid, execErrno, execMessage], [7, 2, 'nosuch: not found']);
  client.close();
});

test('a call that is not answered in time says what was asked, and its late answer does no harm', async () => {
  const [near, far] = createChannelPair();
  const client = AgentClient.start(near);
  await assert.rejects(client.startContainer({ id: 'web' }, { timeoutMs: 20 }), {
    code: 'AGENT_TIMEOUT',
    message: 'the guest agent did not start container web within 20 ms',
  });
  const agent = new FakeAgent(far);
  await client.ping();
  assert.deepEqual(agent.calls, ['StartContainer', 'Ping'], 'both were answered');
  client.close();
});

test('a call can be cancelled', async () => {
  const { client } = startPair({ offers: false });
  const controller = new AbortController();
  const call = client.ping({ signal: controller.signal });
  controller.abort();
  await assert.rejects(call, { code: 'CANCELLED' });
  await assert.rejects(client.ping({ signal: controller.signal }), { code: 'CANCELLED' });
  client.close();
});

test('a new offer fails the calls in flight and begins a session in which others succeed', async () => {
  let restarts = 0;
  const options = { onSessionRestarted: () => restarts++ };
  const { client, agent } = startPair({ onStdio: () => agent.restart() }, options);
  const { exit } = client.openStdio({ containerId: 'web' }, noHandlers);
  await assert.rejects(exit, isSessionRestart);
  await client.ping();
  assert.equal(restarts, 1);
  client.close();
});

test('a client that asked for a snapshot leaves the next offer alone', async () => {
  const nonce = randomBytes(16);
  const { client, agent } = startPair({ answers: { prepareSnapshot: () => ({ nonce }) } });
  assert.deepEqual(Buffer.from(await client.prepareSnapshot()), nonce);
  agent.restart(nonce);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(!agent.inSession);
  client.close();
});

test('a snapshot that fails leaves the session as it was', async () => {
  const failure = new FakeStatus(STATUS_CODE.failedPrecondition, 'a container is there');
  const { client, agent } = startPair({ answers: { prepareSnapshot: () => failure } });
  await assert.rejects(client.prepareSnapshot(), { code: 'AGENT_FAILED' });
  agent.restart();
  while (!agent.inSession) await new Promise((resolve) => setImmediate(resolve));
  await client.ping();
  client.close();
});

test('a client that had its guest come to rest goes on in a new session', async () => {
  let restarted = (): void => {};
  const rested = new Promise<void>((resolve) => {
    restarted = resolve;
  });
  const answers = { prepareSnapshot: () => ({ nonce: randomBytes(16) }) };
  const { client, agent } = startPair({ answers }, { onSessionRestarted: () => restarted() });
  await client.rest({});
  agent.restart();
  await rested;
  await client.ping();
  client.close();
});

test('when the channel closes every call fails, and so do later ones', async () => {
  const { client, agent } = startPair({ onStdio: () => agent.hangUp() });
  const stdio = client.openStdio({ containerId: 'web' }, noHandlers);
  await assert.rejects(stdio.exit, { code: 'SANDBOX_DIED' });
  assert.ok((await client.ended) instanceof WardianError);
  await assert.rejects(client.ping(), { code: 'SANDBOX_DIED' });
});

test('close fails what is in flight as cancelled', async () => {
  const { client } = startPair({ onStdio: () => {} });
  const stdio = client.openStdio({ containerId: 'web' }, noHandlers);
  client.close();
  await assert.rejects(stdio.exit, { code: 'CANCELLED' });
  await assert.rejects(client.ping(), { code: 'CANCELLED' });
});
