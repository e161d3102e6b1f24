import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExitReport, RunRequest } from '../api.ts';
import { SandboxerClient } from '../client.ts';
import { createFakeEnvironment, type FakeEnvironment } from '../testing/fake-environment.ts';
import { makeOutput } from '../testing/fake-sandboxer.ts';
import { AttachSession } from './attach-session.ts';

let fake: FakeEnvironment | undefined;

afterEach(() => {
  fake?.close();
  fake = undefined;
});

const ID = 'a'.repeat(64);
const MIB = 1024 * 1024;
const REPORT: ExitReport = { exitCode: 0, signal: 0, outOfMemory: false };

function createRunRequest(command: string[]): RunRequest {
  return {
    id: ID,
    image: 'fake',
    command,
    env: [],
    terminal: false,
    interactive: true,
    autoRemove: true,
    detached: false,
    readOnly: false,
    tmpfs: [],
    network: 'none',
    labels: {},
    limits: {},
    template: true,
  };
}

interface Started {
  session: AttachSession;
  output: { bytes: number; digest(): string };
}

/** Starts a fake container and joins it; `feed` is asked for stdin whenever there is room. */
async function start(
  { options }: FakeEnvironment,
  command: string[],
  { delayMs = 0, feed }: { delayMs?: number; feed?: (session: AttachSession) => void } = {},
): Promise<Started> {
  const client = await SandboxerClient.connect(options);
  const hash = createHash('sha256');
  const output = { bytes: 0, digest: () => hash.digest('hex') };
  const started = client.call('run', createRunRequest(command));
  const session: AttachSession = new AttachSession({
    client,
    reconnect: () => SandboxerClient.connect(options),
    started,
    request: { container: ID, stdin: feed !== undefined, owner: true, from: 'start' },
    writeStdout: (bytes, done) => {
      hash.update(bytes);
      output.bytes += bytes.length;
      if (delayMs === 0) setImmediate(done);
      else setTimeout(done, delayMs);
    },
    writeStderr: (_bytes, done) => done(new Error('nothing is expected on stderr')),
    onStdinRoom: () => feed?.(session),
  });
  await started;
  feed?.(session);
  return { session, output };
}

function digestOutput(total: number): string {
  return createHash('sha256').update(makeOutput(0, total)).digest('hex');
}

/** Feeds so many bytes, as fast as there is room. */
function createFeed(total: number): (session: AttachSession) => void {
  const source = makeOutput(0, total);
  let offset = 0;
  return (session) => {
    while (offset < total) {
      const chunk = source.subarray(offset, offset + 65_536);
      offset += chunk.length;
      if (!session.pushStdin(chunk)) return;
    }
    session.endStdin();
    offset = Number.POSITIVE_INFINITY;
  };
}

test('output arrives whole and the exit report after it', async () => {
  fake = createFakeEnvironment();
  const { session, output } = await start(fake, ['produce', String(3 * MIB + 17)]);
  assert.deepEqual(await session.done, { kind: 'exited', report: REPORT });
  assert.equal(output.digest(), digestOutput(3 * MIB + 17));
  session.close();
});

test('a slow reader holds the sandboxer back, and still gets everything', async () => {
  fake = createFakeEnvironment();
  const { session, output } = await start(fake, ['produce', String(2 * MIB)], { delayMs: 5 });
  await session.done;
  assert.equal(output.bytes, 2 * MIB);
  session.close();
});

test('output survives sandboxers that are killed in the middle of it, without loss or repetition', async () => {
  fake = createFakeEnvironment({ FAKE_DIE_AFTER: '700000', FAKE_DEATHS: '3' });
  const { session, output } = await start(fake, ['produce', String(4 * MIB)]);
  assert.deepEqual(await session.done, { kind: 'exited', report: REPORT });
  assert.equal(fake.read('deaths'), 'xxx');
  assert.equal(output.digest(), digestOutput(4 * MIB));
  session.close();
});

test('input and output survive sandboxers that are killed in the middle of both', async () => {
  fake = createFakeEnvironment({ FAKE_DIE_AFTER: '900001', FAKE_DEATHS: '4' });
  const total = 4 * MIB + 5;
  const { session, output } = await start(fake, ['cat'], { feed: createFeed(total) });
  assert.deepEqual(await session.done, { kind: 'exited', report: REPORT });
  assert.equal(fake.read('deaths'), 'xxxx');
  assert.equal(output.bytes, total);
  assert.equal(output.digest(), digestOutput(total));
  session.close();
});

test('calls beside the stream find the sandboxer that took over', async () => {
  fake = createFakeEnvironment();
  const { session } = await start(fake, ['signals']);
  process.kill(Number(fake.read('pid')), 'SIGKILL');
  await session.call('kill', { container: ID, signal: 10 });
  assert.equal(fake.read('starts'), 'xx');
  session.close();
});

test('detaching ends the session and not the process', async () => {
  fake = createFakeEnvironment();
  const { session } = await start(fake, ['signals']);
  session.detach();
  assert.deepEqual(await session.done, { kind: 'detached' });
  session.close();
});

test('an output that nobody reads ends the session with the error of the write', async () => {
  fake = createFakeEnvironment();
  const { options } = fake;
  const client = await SandboxerClient.connect(options);
  await client.call('run', createRunRequest(['produce', '100']));
  const broken = Object.assign(new Error('broken'), { code: 'EPIPE' });
  const session = new AttachSession({
    client,
    reconnect: () => SandboxerClient.connect(options),
    request: { container: ID, stdin: false, owner: true, from: 'start' },
    writeStdout: (_bytes, done) => done(broken),
    writeStderr: (_bytes, done) => done(),
  });
  await assert.rejects(session.done, broken);
  session.close();
});

test('a sandboxer that comes and goes at once is not asked as fast as it can be', async () => {
  fake = createFakeEnvironment();
  const { options } = fake;
  const client = await SandboxerClient.connect(options);
  await client.call('run', createRunRequest(['signals']));
  let attempts = 0;
  const session = new AttachSession({
    client,
    reconnect: async () => {
      attempts += 1;
      const short = await SandboxerClient.connect(options);
      short.close();
      return short;
    },
    request: { container: ID, stdin: false, owner: true, from: 'start' },
    writeStdout: (_bytes, done) => done(),
    writeStderr: (_bytes, done) => done(),
  });
  client.close();
  await delay(1_000);
  session.close();
  assert.ok(attempts >= 2 && attempts <= 12, `${attempts} attempts`);
  await assert.rejects(session.done);
});
