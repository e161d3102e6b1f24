import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestHost } from '../support/test-host.ts';

let host: TestHost;
before(() => {
  host = new TestHost();
});
after(() => host.close());

async function runDetached(...arguments_: string[]): Promise<string> {
  return (await host.succeed(['run', '-d', ...arguments_])).trim();
}

test('a detached container lives until it is stopped', async () => {
  const id = await runDetached(
    '--name',
    'sleeper',
    '--label',
    'kind=test',
    'busybox',
    'sleep',
    '600',
  );
  assert.match(id, /^[0-9a-f]{64}$/);
  const [listed] = JSON.parse(await host.succeed(['ps', '--json']));
  assert.ok(JSON.stringify(listed).includes('sleeper'));
  const startedAt = Date.now();
  // sleep as PID 1 has no handler for SIGTERM: the kernel drops it and the second, SIGKILL, ends it.
  await host.succeed(['stop', '-t', '1', 'sleeper']);
  assert.ok(Date.now() - startedAt < 10_000);
  const [details] = JSON.parse(await host.succeed(['inspect', 'sleeper']));
  assert.equal(details.State.Status, 'exited');
  assert.equal(details.State.ExitCode, 137);
  await host.succeed(['rm', 'sleeper']);
});

test('a process that heeds SIGTERM ends by itself', async () => {
  const script = 'trap "echo bye; exit 7" TERM; echo up; while :; do sleep 0.1; done';
  const id = await runDetached('busybox', 'sh', '-c', script);
  for (let logs = ''; logs !== 'up\n'; logs = await host.succeed(['logs', id]));
  await host.succeed(['stop', id]);
  assert.equal(await host.succeed(['wait', id]), '7\n');
  assert.equal(await host.succeed(['logs', id]), 'up\nbye\n');
  await host.succeed(['rm', id]);
});

test('names are unique, and given back', async () => {
  await runDetached('--name', 'taken', 'busybox', 'sleep', '600');
  const second = await host.wardian(['run', '-d', '--name', 'taken', 'busybox', 'true']);
  assert.equal(second.exitCode, 125);
  assert.match(second.stderr, /the name taken is used by container/);
  await host.succeed(['rm', '-f', '-t', '0', 'taken']);
  await host.succeed(['run', '--rm', '--name', 'taken', 'busybox', 'true']);
});

test('exec runs beside the container’s process, with its own streams and code', async () => {
  const id = await runDetached('-e', 'FROM=run', 'busybox', 'sleep', '600');
  const script = 'echo $FROM $MORE; cat; echo err >&2; exit 9';
  const result = await host.wardian(['exec', '-i', '-e', 'MORE=exec', id, 'sh', '-c', script], {
    stdin: 'through stdin\n',
  });
  assert.deepEqual(result, {
    exitCode: 9,
    signal: null,
    stdout: 'run exec\nthrough stdin\n',
    stderr: 'err\n',
  });
  assert.equal((await host.wardian(['exec', id, 'nothing-here'])).exitCode, 127);
  assert.equal(await host.succeed(['exec', '-u', 'nobody', '-w', '/tmp', id, 'pwd']), '/tmp\n');
  const processes = await host.succeed(['exec', id, 'ps', '-o', 'pid,args']);
  assert.match(processes, /\n +1 sleep 600\n/);
  await host.succeed(['rm', '-f', '-t', '0', id]);
  assert.equal((await host.wardian(['exec', id, 'true'])).exitCode, 125);
});

test('kill sends the signal it is given', async () => {
  const script = 'trap "echo usr1" USR1; echo up; while :; do sleep 0.05; done';
  const id = await runDetached('busybox', 'sh', '-c', script);
  for (let logs = ''; logs !== 'up\n'; logs = await host.succeed(['logs', id]));
  await host.succeed(['kill', '-s', 'USR1', id]);
  for (let logs = ''; logs !== 'up\nusr1\n'; logs = await host.succeed(['logs', id]));
  await host.succeed(['kill', id]);
  assert.equal(await host.succeed(['wait', id]), '137\n');
  await host.succeed(['rm', id]);
});

test('a foreground container dies with its client, a detached one does not', async () => {
  const child = host.start(['run', '--name', 'owned', 'busybox', 'sh', '-c', 'echo up; sleep 600']);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  child.kill('SIGKILL');
  for (let tries = 0; tries < 100 && (await host.succeed(['ps', '-q'])) !== ''; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(await host.succeed(['ps', '-q']), '');
  await host.succeed(['rm', 'owned']);
});

test('signals of the client reach the container', async () => {
  const script = 'trap "echo got; exit 3" TERM; echo up; while :; do sleep 0.05; done';
  const child = host.start(['run', '--rm', 'busybox', 'sh', '-c', script]);
  let output = '';
  const up = new Promise((resolve) => child.stdout?.once('data', resolve));
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await up;
  child.kill('SIGTERM');
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 3);
  assert.equal(output, 'up\ngot\n');
});

test('limits reach the guest, and running out of memory is called that', async () => {
  const script =
    'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max; nproc';
  const flags = ['--memory', '64m', '--cpus', '1.5', '--pids-limit', '50'];
  const output = await host.succeed(['run', '--rm', ...flags, 'busybox', 'sh', '-c', script]);
  assert.deepEqual(output.split('\n'), [String(64 * 2 ** 20), '150000 100000', '50', '2', '']);
  const greedy = ['run', '--name', 'greedy', '--memory', '32m', 'busybox', 'tail', '/dev/zero'];
  assert.equal((await host.wardian(greedy)).exitCode, 137);
  const [details] = JSON.parse(await host.succeed(['inspect', 'greedy']));
  assert.equal(details.State.OOMKilled, true);
  assert.match(details.State.Error, /out of memory/);
  await host.succeed(['rm', 'greedy']);
});
