import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EngineExec } from '../support/engine-container.ts';
import { EngineHost, pauseMs, waitUntil } from '../support/engine-host.ts';

let engine: EngineHost;
before(() => {
  engine = new EngineHost();
});
after(() => engine.close());

test('a container is created, started, heard, and deleted, with its exit code at its stub', async () => {
  const container = await engine.create('echo out; echo err >&2; cat; exit 7');
  container.stdin?.end('in\n');
  await engine.start(container);
  assert.equal(await container.exited, 7);
  assert.deepEqual([container.stdout, container.stderr], ['out\nin\n', 'err\n']);
  await engine.remove(container);
  await engine.remove(container); // nothing to do any more
  assert.deepEqual(engine.listSandboxes(), []);
});

test('what cannot be done says so: a command that is not there, create or start twice, kill after the end', async () => {
  const container = await engine.create('exit 0', { command: ['no-such-program'] });
  await assert.rejects(engine.call('createContainer', container.describe()), {
    code: 'NAME_IN_USE',
  });
  await assert.rejects(engine.start(container), { code: 'COMMAND_NOT_FOUND' });
  await container.exited;
  await assert.rejects(engine.start(container), { code: 'CONTAINER_NOT_RUNNING' });
  await assert.rejects(engine.call('kill', { container: container.id, signal: 15 }), {
    code: 'CONTAINER_NOT_RUNNING',
  });
  await engine.remove(container);
  const running = await engine.create('sleep 600');
  await engine.start(running);
  await assert.rejects(engine.start(running), { code: 'CONTAINER_RUNNING' });
  await engine.remove(running);
  assert.equal(await running.exited, 137);
  const missing = 'f'.repeat(64);
  await assert.rejects(engine.call('startContainer', { container: missing }), {
    code: 'CONTAINER_NOT_FOUND',
  });
  await engine.call('deleteContainer', { container: missing });
  assert.deepEqual(engine.listSandboxes(), []);
});

test('a created container can be deleted, and its process never runs', async () => {
  const container = await engine.create('echo never');
  await engine.remove(container);
  assert.equal(await container.exited, 137);
  assert.equal(container.stdout, '');
  assert.deepEqual(engine.listSandboxes(), []);
});

test('many containers at once', async () => {
  const containers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => engine.create(`echo ${index}; exit ${index}`)),
  );
  await Promise.all(containers.map((container) => engine.start(container)));
  const codes = await Promise.all(containers.map(({ exited }) => exited));
  assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(
    containers.map(({ stdout }) => stdout),
    codes.map((code) => `${code}\n`),
  );
  await Promise.all(containers.map((container) => engine.remove(container)));
  assert.deepEqual(engine.listSandboxes(), []);
});

test('further processes have stubs of their own, and their own ends', async () => {
  const container = await engine.create('sleep 600');
  await assert.rejects(EngineExec.start(engine.host, container.id, ['true']), {
    code: 'CONTAINER_NOT_RUNNING',
  });
  await engine.start(container);
  await assert.rejects(EngineExec.start(engine.host, container.id, ['no-such-program']), {
    code: 'COMMAND_NOT_FOUND',
  });
  const exec = await EngineExec.start(engine.host, container.id, ['sh', '-c', 'echo in; exit 5']);
  assert.equal(await exec.exited, 5);
  assert.equal(exec.stdout, 'in\n');
  const lasting = await EngineExec.start(engine.host, container.id, [
    'sh',
    '-c',
    'sleep 1; exit 6',
  ]);
  engine.killSandboxer();
  assert.equal(await lasting.exited, 6);
  const orphan = await EngineExec.start(engine.host, container.id, ['sleep', '601']);
  orphan.kill();
  await orphan.exited;
  await waitUntil(async () => {
    const look = await EngineExec.start(engine.host, container.id, ['ps']);
    await look.exited;
    return !look.stdout.includes('sleep 601');
  });
  await engine.remove(container);
  assert.deepEqual(engine.listSandboxes(), []);
});

test('a paused container stands still, takes no exec, and can be killed', async () => {
  const container = await engine.create('i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done');
  await engine.start(container);
  await container.waitForOutput('1\n');
  await engine.call('pauseContainer', { container: container.id });
  await pauseMs(200);
  const seen = container.stdout.length;
  await pauseMs(300);
  assert.equal(container.stdout.length, seen);
  await assert.rejects(EngineExec.start(engine.host, container.id, ['true']), /is paused/);
  engine.killSandboxer();
  await assert.rejects(EngineExec.start(engine.host, container.id, ['true']), /is paused/);
  await engine.call('resumeContainer', { container: container.id });
  await waitUntil(() => container.stdout.length > seen);
  await engine.call('pauseContainer', { container: container.id });
  await engine.call('kill', { container: container.id, signal: 9 });
  assert.equal(await container.exited, 137);
  await engine.remove(container);
});

test('a machine whose container is paused leaves the processors alone', async () => {
  const container = await engine.create('echo up; while :; do :; done');
  await engine.start(container);
  await container.waitForOutput('up\n');
  const busy = await engine.countTicks(container, 1000);
  await engine.call('pauseContainer', { container: container.id });
  await pauseMs(200);
  const paused = await engine.countTicks(container, 1000);
  assert.ok(
    paused <= 5 && busy > 2 * paused,
    `${busy} ticks of work, ${paused} while it was paused`,
  );
  await engine.remove(container);
});

test('limits can be changed as far as the machine goes', async () => {
  const memory = { limit: 64 * MEBIBYTE };
  const container = await engine.create('sleep 600', { linux: { resources: { memory } } });
  await engine.start(container);
  const update = (limit: number) =>
    engine.call('updateContainer', {
      container: container.id,
      resources: JSON.stringify({ memory: { limit } }),
    });
  await update(100 * MEBIBYTE);
  const stats = await engine.call('stats', { container: container.id });
  assert.equal(stats.memoryLimitBytes, 100 * MEBIBYTE);
  assert.ok(stats.pids >= 1 && stats.memoryBytes > 0);
  await assert.rejects(update(8192 * MEBIBYTE), { code: 'SPEC_UNSUPPORTED', message: /256 MiB/ });
  await engine.remove(container);
});

test('several containers share a sandbox, and end with the one that it was made for', async () => {
  const first = await engine.create('hostname; sleep 600', { hostname: 'pod' });
  await engine.start(first);
  await first.waitForOutput('pod\n');
  const path = `/proc/${first.pid}/ns`;
  const own = ['mount'].map((type) => ({ type }));
  const shared = ['pid', 'ipc', 'uts', 'network'].map((type) => {
    return { type, path: `${path}/${type === 'network' ? 'net' : type}` };
  });
  const namespaces = [...own, ...shared];
  const second = await engine.create('hostname; ps; exit 4', { sandbox: first, namespaces });
  await engine.start(second);
  assert.equal(await second.exited, 4);
  assert.match(second.stdout, /^pod\n/);
  assert.match(second.stdout, /sleep 600/); // of the first one's pid namespace
  await engine.remove(second);
  const third = await engine.create('echo up; sleep 600', { sandbox: first });
  const fourth = await engine.create('sleep 600', { sandbox: first });
  await engine.start(third);
  await third.waitForOutput('up\n');
  engine.killSandboxer();
  await engine.start(fourth);
  await engine.remove(fourth);
  assert.equal(await fourth.exited, 137);
  assert.equal(engine.listSandboxes().length, 2);
  await engine.call('kill', { container: first.id, signal: 9 });
  assert.equal(await first.exited, 137);
  assert.equal(await third.exited, 137);
  assert.equal(third.stderr, '');
  for (const container of [first, third]) await engine.remove(container);
  assert.deepEqual(engine.listSandboxes(), []);
});

test('people see nothing of the containers of engines', async () => {
  const container = await engine.create('sleep 600');
  await engine.start(container);
  assert.equal(await engine.host.succeed(['ps', '-aq']), '');
  await engine.host.succeed(['rm', '--all', '--force']);
  assert.notEqual((await engine.host.wardian(['inspect', container.id])).exitCode, 0);
  assert.deepEqual((await engine.call('info', {})).containers, { running: 1, exited: 0 });
  await assert.rejects(engine.call('shutdown', { force: false }), { code: 'CONTAINER_RUNNING' });
  await engine.remove(container);
});

const MEBIBYTE = 1024 * 1024;
