import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectSandboxer } from '../support/engine-container.ts';
import { RuntimeHost } from '../support/runtime-host.ts';

// conmon makes itself the reaper of all that its runtime leaves behind, and stays until the last of them has ended. A
// daemon of ours that it had to wait for would keep it for good.

const RUNTIME = fileURLToPath(new URL('../../dist/runtime.cjs', import.meta.url));
const PATIENCE_MS = 20_000;

let host: RuntimeHost;
before(() => {
  host = new RuntimeHost();
  copyFileSync('/bin/dash', path.join(host.host.directory, 'conmon'));
});
after(() => host.close());

/** Runs the runtime as the child of a process that is called conmon, to the runtime's end. */
async function runBelowConmon(...arguments_: readonly string[]): Promise<number | null> {
  const script = '"$@"; exit $?'; // two commands: the shell stays
  const command = [process.execPath, '--', RUNTIME, '--root', host.root, ...arguments_];
  const conmon = spawn(
    path.join(host.host.directory, 'conmon'),
    ['-c', script, 'conmon', ...command],
    { env: host.host.environment, cwd: '/', stdio: 'ignore' },
  );
  return await new Promise((resolve) => conmon.once('exit', resolve));
}

async function isProvisional(): Promise<boolean> {
  const client = await connectSandboxer(host.host);
  try {
    return (await client.call('info', {})).provisional;
  } finally {
    client.close();
  }
}

async function waitUntilSandboxerLeft(): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; host.host.getSandboxerPid() !== undefined; ) {
    assert.ok(Date.now() < deadline, 'the sandboxer stays');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a sandboxer that was started below conmon leaves with its container', async () => {
  const bundle = host.makeBundle('short', { args: ['sh', '-c', 'sleep 0.3; exit 3'] });
  assert.equal(await runBelowConmon('create', '-b', bundle, 'short'), 0);
  assert.equal(await isProvisional(), true);
  assert.equal(await runBelowConmon('start', 'short'), 0);
  assert.equal(await isProvisional(), true); // who starts it is below conmon, too
  await waitUntilSandboxerLeft();
  await host.waitForStatus('short', 'stopped');
  assert.equal(await runBelowConmon('delete', 'short'), 0);
  await waitUntilSandboxerLeft();
});

test('the engine itself puts a lasting sandboxer in its place', async () => {
  const bundle = host.makeBundle('long', { args: ['sh', '-c', 'echo up; sleep 600'] });
  assert.equal(await runBelowConmon('create', '-b', bundle, 'long'), 0);
  const first = host.host.getSandboxerPid();
  await host.succeed('start', 'long');
  assert.notEqual(host.host.getSandboxerPid(), first);
  assert.equal(await isProvisional(), false);
  assert.equal((await host.getState('long')).status, 'running');
  await host.succeed('kill', 'long', 'KILL');
  await host.waitForStatus('long', 'stopped');
  await host.succeed('delete', 'long');
  assert.notEqual(host.host.getSandboxerPid(), undefined);
});

test('one that fails to make its container does not stay', async () => {
  await host.host.succeed(['ps']); // the lasting one
  const pid = host.host.getSandboxerPid() ?? 0;
  process.kill(pid, 'SIGTERM');
  await waitUntilSandboxerLeft();
  const bundle = host.makeBundle('bad', { args: ['no-such-program'] });
  await runBelowConmon('run', '-b', bundle, 'bad');
  await waitUntilSandboxerLeft();
  assert.deepEqual(host.listLeftovers(), []);
});
