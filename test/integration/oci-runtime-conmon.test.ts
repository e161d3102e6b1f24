import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { identifyProcess } from '../../src/host/process-identity.ts';
import { waitForEnd } from '../../src/host/wait-for-end.ts';
import { VERSION } from '../../src/util/version.ts';
import { connectSandboxer } from '../support/engine-container.ts';
import { RuntimeHost } from '../support/runtime-host.ts';

let host: RuntimeHost;

before(() => {
  host = new RuntimeHost();
  copyFileSync('/bin/sh', path.join(host.host.directory, 'conmon'));
});
after(() => host.close());

/** Runs the runtime as a child of a process with the name of podman's monitor, which waits for all below it. */
async function runBelowConmon(...arguments_: string[]): Promise<void> {
  const conmon = path.join(host.host.directory, 'conmon');
  const child = spawn(conmon, ['-c', '"$@"; exit $?', 'x', ...host.getCommandLine(arguments_)], {
    env: host.host.environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
}

async function askSandboxer(): Promise<{ pid: number; provisional: boolean }> {
  const client = await connectSandboxer(host.host);
  try {
    return await client.call('hello', { version: VERSION });
  } finally {
    client.close();
  }
}

test('below conmon a sandboxer is provisional, and start puts a lasting one in its place', async () => {
  const bundle = host.makeBundle('lasting', { args: ['sleep', '1000'] });
  await runBelowConmon('create', '-b', bundle, 'lasting');
  const provisional = await askSandboxer();
  assert.equal(provisional.provisional, true);
  await host.succeed('start', 'lasting');
  const lasting = await askSandboxer();
  assert.equal(lasting.provisional, false);
  assert.notEqual(lasting.pid, provisional.pid);
  assert.equal((await host.getState('lasting')).status, 'running');
  assert.equal((await host.run(['exec', 'lasting', 'sh', '-c', 'exit 5'])).exitCode, 5);
  await host.succeed('delete', '--force', 'lasting');
});

test('a provisional sandboxer leaves with its container when nobody replaces it', async () => {
  const running = await askSandboxer();
  const identity = identifyProcess(running.pid);
  assert.ok(identity !== undefined);
  process.kill(running.pid, 'SIGTERM');
  assert.equal(await waitForEnd(identity, 10_000), true);
  const bundle = host.makeBundle('alone', { args: ['sh', '-c', 'exit 3'] });
  await runBelowConmon('create', '-b', bundle, 'alone');
  const { pid } = await askSandboxer();
  const provisional = identifyProcess(pid);
  assert.ok(provisional !== undefined);
  await runBelowConmon('start', 'alone');
  assert.equal(await waitForEnd(provisional, 10_000), true);
  await host.waitForStatus('alone', 'stopped');
  await host.succeed('delete', 'alone');
});

test('several are started at once below conmon, and each comes to its end', async () => {
  const ids = ['one', 'two', 'three'];
  await Promise.all(
    ids.map(async (id) => {
      const bundle = host.makeBundle(id, { args: ['sh', '-c', `exit ${id.length}`] });
      await runBelowConmon('create', '-b', bundle, id);
      await host.succeed('start', id);
      await host.waitForStatus(id, 'stopped');
      await host.succeed('delete', id);
    }),
  );
  assert.deepEqual(host.listLeftovers(), []);
});
