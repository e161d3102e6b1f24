import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestHost } from '../support/test-host.ts';

let host: TestHost;
before(() => {
  host = new TestHost();
});
after(() => host.close());

/** Numbered lines, as fast as the guest can, so that some are always on their way. */
const COUNT = 'i=0; while [ $i -lt $1 ]; do i=$((i+1)); echo $i; done';

function killSandboxer(): void {
  const pid = host.getSandboxerPid();
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
}

function numbers(last: number): string {
  return Array.from({ length: last }, (_, index) => `${index + 1}\n`).join('');
}

function pauseMs(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

test('a foreground run loses no line when its sandboxer is killed again and again', async () => {
  const child = host.start(['run', '--rm', 'busybox', 'sh', '-c', COUNT, 'count', '60000']);
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  for (const target of [100, 20_000, 60_000]) {
    while (output.length < target) await Promise.race([pauseMs(5), closed]);
    killSandboxer();
    await pauseMs(300);
  }
  assert.equal(await closed, 0, errors);
  assert.ok(output === numbers(60_000), `${output.length} bytes, ${errors}`);
});

test('the log of a detached container has every line once', async () => {
  const id = (
    await host.succeed(['run', '-d', 'busybox', 'sh', '-c', COUNT, 'count', '40000'])
  ).trim();
  for (let kills = 0; kills < 3; kills += 1) {
    await pauseMs(150);
    killSandboxer();
    await host.succeed(['ps']); // starts the next sandboxer, which adopts
  }
  assert.equal(await host.succeed(['wait', id]), '0\n');
  assert.ok((await host.succeed(['logs', id])) === numbers(40_000));
  await host.succeed(['rm', id]);
});

test('a container that ends while no sandboxer runs reports its code', async () => {
  const id = (
    await host.succeed(['run', '-d', 'busybox', 'sh', '-c', 'sleep 0.5; echo end; exit 33'])
  ).trim();
  killSandboxer();
  await pauseMs(1500);
  assert.equal(await host.succeed(['wait', id]), '33\n');
  assert.equal(await host.succeed(['logs', id]), 'end\n');
  await host.succeed(['rm', id]);
});

test('exec works afterwards, and one that was running goes on', async () => {
  const id = (await host.succeed(['run', '-d', 'busybox', 'sleep', '600'])).trim();
  const exec = host.start(['exec', '-i', id, 'sh', '-c', 'cat; echo done; exit 5']);
  let output = '';
  exec.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  const closed = new Promise((resolve) => exec.once('close', resolve));
  exec.stdin?.write('before\n');
  while (output !== 'before\n') await Promise.race([pauseMs(5), closed]);
  killSandboxer();
  exec.stdin?.end('after\n');
  assert.equal(await closed, 5);
  assert.equal(output, 'before\nafter\ndone\n');
  assert.equal(await host.succeed(['exec', id, 'echo', 'again']), 'again\n');
  await host.succeed(['rm', '-f', '-t', '0', id]);
});

test('a machine that was killed with its sandboxer is reported dead and cleared away', async () => {
  const id = (await host.succeed(['run', '-d', 'busybox', 'sleep', '600'])).trim();
  const [before] = JSON.parse(await host.succeed(['inspect', id]));
  killSandboxer();
  process.kill(before.State.Pid, 'SIGKILL');
  const [details] = JSON.parse(await host.succeed(['inspect', id]));
  assert.equal(details.State.Status, 'exited');
  assert.match(details.State.Error, /lost while no sandboxer ran/);
  await host.succeed(['rm', id]);
});

test('QEMU killed under a running container: reported at once, with a reason', async () => {
  const child = host.start(['run', '--name', 'shot', 'busybox', 'sh', '-c', 'echo up; sleep 600']);
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  const [details] = JSON.parse(await host.succeed(['inspect', 'shot']));
  const startedAt = Date.now();
  process.kill(details.State.Pid, 'SIGKILL');
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 125);
  assert.ok(Date.now() - startedAt < 2_000);
  assert.match(errors, /virtual machine|SIGKILL/);
  await host.succeed(['rm', 'shot']);
});
