import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RuntimeHost } from '../support/runtime-host.ts';

let host: RuntimeHost;

before(() => {
  host = new RuntimeHost();
});
after(() => host.close());

/** Long enough for the slowest step to be under way, and to be over. */
const KILL_DELAYS_MS = [0, 20, 35, 45, 55, 65, 80, 100, 150, 250];

test('of many that make one id at once, one does', async () => {
  const bundle = host.makeBundle('same', { args: ['sleep', '1000'] });
  const results = await Promise.all(
    Array.from({ length: 6 }, () => host.run(['create', '-b', bundle, 'same'])),
  );
  const failures = results.filter(({ exitCode }) => exitCode !== 0);
  assert.equal(failures.length, 5);
  for (const { stderr } of failures)
    assert.match(stderr, /container with id exists already: "same"/);
  assert.equal((await host.getState('same')).status, 'created');
  await host.succeed('delete', 'same');
  assert.deepEqual(host.listLeftovers(), []);
});

test('of many that start one container at once, one does', async () => {
  const bundle = host.makeBundle('started', {
    args: ['sh', '-c', 'echo started; exec sleep 1000'],
  });
  const create = host.start(['create', '-b', bundle, 'started']);
  await create.ended;
  const results = await Promise.all(
    Array.from({ length: 4 }, () => host.run(['start', 'started'])),
  );
  const codes = results.map(({ exitCode }) => exitCode).sort();
  assert.deepEqual(codes, [0, 1, 1, 1]);
  await host.succeed('delete', '--force', 'started');
  assert.equal(create.stdout, 'started\n');
});

test('of many that delete one container at once, none fails or leaves anything when forced', async () => {
  const bundle = host.makeBundle('gone', { args: ['sleep', '1000'] });
  await host.succeed('run', '-d', '-b', bundle, 'gone');
  const commands = ['delete --force', 'delete --force', 'start', 'delete --force'];
  const results = await Promise.all(
    commands.map((command) => host.run([...command.split(' '), 'gone'])),
  );
  assert.deepEqual(
    results.map(({ exitCode }) => exitCode),
    [0, 0, 1, 0],
  );
  assert.deepEqual(host.listLeftovers(), []);
});

test('a command that is killed at any moment while it makes a container leaves nothing that stays', async () => {
  const bundle = host.makeBundle('killed', { args: ['sleep', '1000'] });
  for (const delayMs of KILL_DELAYS_MS) {
    const create = host.start(['create', '-b', bundle, 'killed']);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    create.child.kill('SIGKILL');
    await create.ended;
    // What it left, if anything, is in nobody's way, and is gone when somebody looks.
    await host.succeed('list');
    const [left] = host.listLeftovers();
    if (left === 'killed') await host.succeed('delete', 'killed'); // it was quicker
    assert.deepEqual(host.listLeftovers(), [], `after ${delayMs} ms`);
  }
  await host.succeed('create', '-b', bundle, 'killed');
  await host.succeed('delete', 'killed');
  await waitFor(() => listSandboxes().length === 0);
});

test('an interrupted run undoes what it has made', async () => {
  const bundle = host.makeBundle('interrupted', { args: ['sleep', '1000'] });
  for (const delayMs of [45, 70, 110]) {
    const run = host.start(['run', '-b', bundle, 'interrupted']);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    run.child.kill('SIGINT');
    const { exitCode, signal } = await run.ended;
    assert.ok(exitCode === 130 || signal === 'SIGINT', `${exitCode} ${signal}`);
    assert.deepEqual(host.listLeftovers(), []);
  }
});

test('a sandboxer that is killed between two commands is not missed', async () => {
  const bundle = host.makeBundle('adopted', { args: ['sh', '-c', 'echo on; cat; exit 6'] });
  const create = host.start(['create', '-b', bundle, 'adopted'], { stdin: 'in\n' });
  await create.ended;
  killSandboxer();
  await host.succeed('start', 'adopted');
  await host.waitForStatus('adopted', 'stopped');
  assert.equal(create.stdout, 'on\nin\n');
  killSandboxer();
  await host.succeed('delete', 'adopted');
  await waitFor(() => listSandboxes().length === 0);
});

test('when the stub is killed its process ends, and the container is stopped', async () => {
  const bundle = host.makeBundle('stub', { args: ['sleep', '1000'] });
  await host.succeed('run', '-d', '-b', bundle, 'stub');
  process.kill((await host.getState('stub')).pid, 'SIGKILL');
  await host.waitForStatus('stub', 'stopped');
  await waitFor(() =>
    host.host.getProcesses().every(({ commandLine }) => !/qemu/.test(commandLine)),
  );
  await host.succeed('delete', 'stub');
  assert.deepEqual(host.listLeftovers(), []);
});

function killSandboxer(): void {
  const pid = host.host.getSandboxerPid();
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
}

function listSandboxes(): string[] {
  const folder = path.join(host.host.runtimeDirectory, 'sandboxes');
  return existsSync(folder) ? readdirSync(folder) : [];
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !condition(); ) {
    assert.ok(Date.now() < deadline, 'it did not come');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
