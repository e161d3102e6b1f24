import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { connectSandboxer, EngineContainer } from '../support/engine-container.ts';
import { EngineHost, pauseMs, waitUntil } from '../support/engine-host.ts';
import { TestHost } from '../support/test-host.ts';

let engine: EngineHost;
before(() => {
  engine = new EngineHost();
});
after(() => engine.close());

test('a sandboxer that is killed between create and start, and again later, is not missed', async () => {
  const container = await engine.create(
    'i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo $i; done; exit 3',
  );
  engine.killSandboxer();
  await engine.start(container); // the next sandboxer has adopted it
  for (const text of ['1\n', '1\n2\n']) {
    await container.waitForOutput(text);
    engine.killSandboxer();
  }
  assert.equal(await container.exited, 3);
  const lines = Array.from({ length: 40_000 }, (_, index) => `${index + 1}\n`).join('');
  assert.ok(container.stdout === lines, `${container.stdout.length} of ${lines.length} characters`);
  await engine.remove(container);
  assert.deepEqual(engine.listSandboxes(), []);
});

test('a container that ends while no sandboxer runs leaves its output and its code to its stub', async () => {
  const container = await engine.create('sleep 0.5; echo end; exit 33');
  await engine.start(container);
  engine.killSandboxer();
  assert.equal(await container.exited, 33); // the stub has started a sandboxer
  assert.equal(container.stdout, 'end\n');
  await engine.remove(container);
});

test('when the stub has gone, so have its process and the machine', async () => {
  const container = await engine.create('echo up; sleep 600');
  await engine.start(container);
  await container.waitForOutput('up\n');
  container.kill();
  await container.exited;
  await waitUntil(() =>
    engine.host.getProcesses().every(({ commandLine }) => !/qemu/.test(commandLine)),
  );
  await engine.remove(container);
  assert.deepEqual(engine.listSandboxes(), []);
});

test('a stub that dies before it has attached takes its container with it', async () => {
  const options = { command: ['sleep', '600'], rootfs: engine.rootfs };
  const container = await EngineContainer.prepare(engine.host, 'unattached', options);
  const request = container.describe();
  await engine.call('createContainer', request);
  container.kill();
  await waitUntil(() =>
    engine.host.getProcesses().every(({ commandLine }) => !/qemu/.test(commandLine)),
  );
  await engine.remove(container);
});

test('a create that nobody waits for any more leaves nothing, wherever it had come to', async () => {
  const first = await engine.create('sleep 600');
  for (const delayMs of [0, 10, 30, 50, 70, 100]) {
    const name = `cancelled-${delayMs}`;
    const joins = delayMs % 20 === 10;
    const options = { command: ['true'], rootfs: engine.rootfs, ...(joins && { sandbox: first }) };
    const container = await EngineContainer.prepare(engine.host, name, options);
    const client = await connectSandboxer(engine.host);
    const made = client.call('createContainer', container.describe()).then(
      () => true,
      () => false,
    );
    await pauseMs(delayMs);
    client.close();
    if (!(await made)) await waitUntil(() => engine.listSandboxes().length === 1);
    container.kill();
    await engine.remove(container);
  }
  assert.equal(engine.listSandboxes().length, 1);
  await engine.remove(first);
});

test('a machine that is killed, or hangs, is no machine that stays', async () => {
  const shot = await engine.create('echo up; sleep 600');
  await engine.start(shot);
  await shot.waitForOutput('up\n');
  process.kill(engine.readMachinePid(shot), 'SIGKILL');
  assert.notEqual(await shot.exited, 0);
  assert.match(shot.stderr, /SIGKILL|virtual machine/);
  await engine.remove(shot);
  const hung = await engine.create('sleep 600');
  await engine.start(hung);
  process.kill(engine.readMachinePid(hung), 'SIGSTOP');
  const startMs = performance.now();
  await engine.remove(hung);
  assert.ok(performance.now() - startMs < 10_000);
  assert.equal(await hung.exited, 137);
  assert.deepEqual(engine.listSandboxes(), []);
});

test('a sandboxer that was started for one container leaves with it, or when it is never made', async () => {
  const own = new TestHost();
  try {
    mkdirSync(own.runtimeDirectory, { mode: 0o700 });
    const options = { command: ['sh', '-c', 'sleep 0.5; exit 9'], rootfs: engine.rootfs };
    const container = await EngineContainer.prepare(own, 'provisional', options);
    own.environment['WARDIAN_PROVISIONAL'] = container.id;
    const client = await connectSandboxer(own);
    assert.equal((await client.call('info', {})).provisional, true);
    assert.equal((await client.call('info', {})).pool.size, 0);
    await client.call('createContainer', container.describe());
    container.go();
    await client.call('startContainer', { container: container.id });
    assert.equal(await container.exited, 9);
    await client.lost; // though this client is still there
    await waitUntil(() => own.getSandboxerPid() === undefined);
    own.environment['WARDIAN_PROVISIONAL'] = 'f'.repeat(64);
    const next = await connectSandboxer(own); // starts one more, which adopts what has ended
    await next.call('deleteContainer', { container: container.id });
    next.close();
    await waitUntil(() => own.getSandboxerPid() === undefined);
  } finally {
    await own.close();
  }
});
