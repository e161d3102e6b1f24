import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { WardianError } from '../util/errors.ts';
import { SandboxerClient } from './client.ts';
import { createFakeEnvironment, type FakeEnvironment } from './testing/fake-environment.ts';

let fake: FakeEnvironment | undefined;

afterEach(() => {
  fake?.close();
  fake = undefined;
});

function isError(code: string, pattern: RegExp): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(thrown instanceof WardianError);
    assert.equal(thrown.code, code);
    assert.match(`${thrown.message} ${(thrown.cause as Error | undefined)?.message}`, pattern);
    return true;
  };
}

test('starts a sandboxer when none runs, and finds it the next time', async () => {
  fake = createFakeEnvironment();
  assert.equal(await SandboxerClient.connectIfRunning(fake.options), undefined);
  const first = await SandboxerClient.connect(fake.options);
  assert.deepEqual(await first.call('list', { all: true }), { containers: [] });
  const second = await SandboxerClient.connect(fake.options);
  assert.equal(fake.read('starts'), 'x');
  first.close();
  second.close();
  await second.lost;
  assert.equal(second.isOpen, false);
});

test('a socket that a dead sandboxer left does not matter', async () => {
  fake = createFakeEnvironment();
  const first = await SandboxerClient.connect(fake.options);
  process.kill(Number(fake.read('pid')), 'SIGKILL');
  await first.lost;
  const second = await SandboxerClient.connect(fake.options);
  assert.equal(fake.read('starts'), 'xx');
  second.close();
});

test('a sandboxer that says why it cannot start is quoted', async () => {
  fake = createFakeEnvironment({ FAKE_REFUSE: '1' });
  await assert.rejects(
    SandboxerClient.connect(fake.options),
    isError('HYPERVISOR_MISSING', /there is no QEMU/),
  );
});

test('a sandboxer that crashes at once is reported with the end of its log', async () => {
  fake = createFakeEnvironment({ FAKE_CRASH: '1' });
  await assert.rejects(
    SandboxerClient.connect(fake.options),
    isError('SANDBOXER_UNREACHABLE', /crashed at once/),
  );
});

test('an idle sandboxer of another version is replaced', async () => {
  fake = createFakeEnvironment({ FAKE_VERSION: '0.0.9' });
  const old = await SandboxerClient.connect({ ...fake.options, version: '0.0.9' });
  const { environment } = fake.options;
  const next = await SandboxerClient.connect({
    ...fake.options,
    environment: { ...environment, FAKE_VERSION: '0.1.0' },
  });
  await old.lost;
  assert.equal(fake.read('starts'), 'xx');
  next.close();
});

test('one that is asked to leave and stays is not waited for without end', async () => {
  fake = createFakeEnvironment({ FAKE_VERSION: '0.0.9', FAKE_STAYS: 'yes' });
  const old = await SandboxerClient.connect({ ...fake.options, version: '0.0.9' });
  const startMs = performance.now();
  await assert.rejects(
    SandboxerClient.connect(fake.options),
    isError('SANDBOXER_UNREACHABLE', /^the sandboxer does not answer/),
  );
  assert.ok(performance.now() - startMs < 15_000);
  old.close();
});

test('calls that leave with the greeting are not for a sandboxer of another version', async () => {
  fake = createFakeEnvironment({ FAKE_VERSION: '0.0.9' });
  const old = await SandboxerClient.connect({ ...fake.options, version: '0.0.9' });
  const client = await SandboxerClient.connectAtOnce(fake.options);
  const request = { container: 'x', signal: 9 };
  await assert.rejects(
    client.call('kill', request),
    isError('SANDBOXER_UNREACHABLE', /the sandboxer went away/),
  );
  assert.equal(client.isOpen, false);
  assert.doesNotMatch(fake.read('calls'), /kill/);
  assert.equal(old.isOpen, true);
  old.close();
});

test('calls leave with the greeting for a sandboxer of ours, which is started when there is none', async () => {
  fake = createFakeEnvironment();
  for (const expected of ['x', 'x']) {
    const client = await SandboxerClient.connectAtOnce(fake.options);
    assert.deepEqual(await client.call('list', { all: true }), { containers: [] });
    assert.equal(fake.read('starts'), expected);
    client.close();
  }
});

test('a cancelled connection starts nothing', async () => {
  fake = createFakeEnvironment();
  const signal = AbortSignal.abort();
  await assert.rejects(
    SandboxerClient.connect({ ...fake.options, signal }),
    isError('CANCELLED', /cancelled/),
  );
  assert.equal(fake.read('starts'), '');
});

test('a socket path that is too long for the kernel is explained', async () => {
  fake = createFakeEnvironment();
  const runtime = `${fake.folder}/${'x'.repeat(100)}`;
  await assert.rejects(
    SandboxerClient.connect({
      ...fake.options,
      directories: { ...fake.options.directories, runtime },
    }),
    isError('CONFIG_INVALID', /too long/),
  );
});
