import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { identifyProcess } from '../../src/host/process-identity.ts';
import { RuntimeHost } from '../support/runtime-host.ts';

let host: RuntimeHost;

before(() => {
  host = new RuntimeHost();
});
after(() => host.close());

test('a container goes through its states, and its output and exit are those of its process', async () => {
  const bundle = host.makeBundle('life', {
    args: ['sh', '-c', 'echo out; echo err >&2; sleep 1000'],
  });
  const pidFile = path.join(host.host.directory, 'life.pid');
  const create = host.start(['create', '--bundle', bundle, '--pid-file', pidFile, 'life']);
  const created = await create.ended;
  assert.deepEqual([created.exitCode, created.stdout, created.stderr], [0, '', '']);
  const pid = readFileSync(pidFile, 'utf8');
  assert.match(pid, /^\d+$/);
  const state = await host.getState('life');
  const { created: time, ...rest } = state;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    ...{ ociVersion: '1.2.0', id: 'life', pid: Number(pid), status: 'created', bundle },
    ...{ rootfs: path.join(host.host.directory, 'rootfs'), owner: rest['owner'] },
  });
  assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`${host.cgroup}/life`));
  await host.succeed('start', 'life');
  assert.equal((await host.getState('life')).status, 'running');
  await host.fail(/cannot start container "life": it is running already/, 'start', 'life');
  await host.fail(/cannot delete container "life" that is not stopped/, 'delete', 'life');
  await host.fail(/container with id exists already: "life"/, 'create', '-b', bundle, 'life');
  await host.succeed('kill', 'life', 'KILL');
  await host.waitForStatus('life', 'stopped');
  assert.equal((await host.getState('life')).pid, 0);
  assert.deepEqual([create.stdout, create.stderr], ['out\n', 'err\n']);
  await host.fail(/container not running/, 'kill', 'life', '9');
  await host.fail(/cannot start a container that has stopped/, 'start', 'life');
  await host.succeed('delete', 'life');
  await host.fail(/container "life" does not exist/, 'delete', 'life');
  await host.fail(/container "life" does not exist/, 'state', 'life');
  await host.succeed('delete', '--force', 'life');
  assert.deepEqual(host.listLeftovers(), []);
});

test('run gives input, output and the exit code, and leaves nothing', async () => {
  const bundle = host.makeBundle('run', { args: ['sh', '-c', 'cat; echo err >&2; exit 42'] });
  const result = await host.run(['run', 'run', '-b', bundle], { stdin: 'typed\n' });
  assert.deepEqual([result.exitCode, result.stdout, result.stderr], [42, 'typed\n', 'err\n']);
  assert.deepEqual(host.listLeftovers(), []);
});

test('run passes signals on, and tells how a process was killed', async () => {
  const script = 'trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.1; done';
  const bundle = host.makeBundle('trap', { args: ['sh', '-c', script] });
  const run = host.start(['run', '-b', bundle, 'trap']);
  await waitFor(() => run.stdout.includes('ready'));
  run.child.kill('SIGTERM');
  const trapped = await run.ended;
  assert.deepEqual([trapped.exitCode, trapped.stdout], [5, 'ready\ncaught\n']);
  const again = host.start(['run', '-b', bundle, 'trap']);
  await waitFor(() => again.stdout.includes('ready'));
  await host.succeed('kill', '--all', 'trap', 'SIGKILL');
  assert.equal((await again.ended).exitCode, 137);
});

test('run ends with the exit code of its process when another command deletes the container', async () => {
  const bundle = host.makeBundle('taken', { args: ['sh', '-c', 'echo ready; exec sleep 1000'] });
  const run = host.start(['run', '-b', bundle, 'taken']);
  await waitFor(() => run.stdout.includes('ready'));
  await host.waitForStatus('taken', 'running');
  await host.succeed('delete', '--force', 'taken');
  const { exitCode, stderr } = await run.ended;
  assert.deepEqual([exitCode, stderr], [137, '']);
});

test('a detached container outlives the command, and --keep keeps it', async () => {
  const bundle = host.makeBundle('away', { args: ['sleep', '1000'] });
  await host.succeed('run', '--detach', '--bundle', bundle, 'away');
  assert.equal((await host.getState('away')).status, 'running');
  assert.match(
    await host.succeed('list'),
    /^ID +PID +STATUS +BUNDLE +CREATED +OWNER\naway +\d+ +running/,
  );
  assert.equal(await host.succeed('list', '-q'), 'away\n');
  await host.succeed('delete', '-f', 'away');
  assert.equal(await host.succeed('list', '-f', 'json'), '[]\n');
  const kept = host.makeBundle('kept');
  await host.succeed('run', '--keep', '-b', kept, 'kept');
  assert.equal((await host.getState('kept')).status, 'stopped');
  await host.succeed('delete', 'kept');
});

test('exec runs more processes, with their own exit codes, users and environments', async () => {
  const bundle = host.makeBundle('exec', { args: ['sleep', '1000'] });
  await host.succeed('create', '-b', bundle, 'exec');
  await host.succeed('start', 'exec');
  const shell = await host.run(
    [
      'exec',
      '-e',
      'A=1',
      '-u',
      '7:8',
      '--cwd',
      '/tmp',
      'exec',
      'sh',
      '-c',
      'echo $A $(id -u):$(id -g) $PWD; cat; exit 3',
    ],
    { stdin: 'in\n' },
  );
  assert.deepEqual([shell.exitCode, shell.stdout], [3, '1 7:8 /tmp\nin\n']);
  const file = path.join(host.host.directory, 'process.json');
  const pidFile = path.join(host.host.directory, 'exec.pid');
  writeFileSync(file, JSON.stringify({ args: ['sleep', '1000'], cwd: '/', env: ['PATH=/bin'] }));
  await host.succeed('exec', '--process', file, '--detach', '--pid-file', pidFile, 'exec');
  const pids: [number, number] = JSON.parse(await host.succeed('ps', '--format', 'json', 'exec'));
  assert.deepEqual(pids, [
    (await host.getState('exec')).pid,
    Number(readFileSync(pidFile, 'utf8')),
  ]);
  assert.match(await host.succeed('ps', 'exec'), /^UID +PID .*\n.*stub.*\n.*stub.*\n$/);
  await host.fail(
    /"no-such-program".* not found in \$PATH.* no such file or directory/,
    'exec',
    'exec',
    'no-such-program',
  );
  await host.fail(/permission denied/i, 'exec', 'exec', '/bin/unrunnable');
  await host.succeed('delete', '--force', 'exec');
  assert.equal(identifyProcess(pids[1]), undefined);
  await host.fail(/does not exist/, 'exec', 'exec', 'true');
});

test('a paused container stands still until it is resumed', async () => {
  const bundle = host.makeBundle('pause', {
    args: ['sh', '-c', 'while :; do echo tick; sleep 0.05; done'],
  });
  const create = host.start(['create', '-b', bundle, 'pause']);
  await create.ended;
  await host.fail(/cannot pause container "pause": it is created/, 'pause', 'pause');
  await host.succeed('start', 'pause');
  await waitFor(() => create.stdout.includes('tick'));
  await host.succeed('pause', 'pause');
  assert.equal((await host.getState('pause')).status, 'paused');
  await new Promise((resolve) => setTimeout(resolve, 200)); // what was on its way arrives
  const before = create.stdout;
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(create.stdout, before);
  await host.fail(/it is paused/, 'exec', 'pause', 'true');
  await host.succeed('resume', 'pause');
  await waitFor(() => create.stdout.length > before.length);
  await host.fail(/cannot resume container "pause": it is running/, 'resume', 'pause');
  await host.succeed('delete', '--force', 'pause');
});

test('a command that cannot be run fails in words that engines know, and nothing is left', async () => {
  const missing = host.makeBundle('missing', { args: ['no-such-program'] });
  await host.fail(
    /"no-such-program".* not found in \$PATH.* no such file or directory/,
    'run',
    '-b',
    missing,
    'missing',
  );
  const refused = host.makeBundle('refused', { args: ['/bin/unrunnable'] });
  await host.fail(/permission denied/i, 'run', '-b', refused, 'refused');
  assert.deepEqual(host.listLeftovers(), []);
});

test('the log of an engine gets one line of JSON for a failure, and nothing for success', async () => {
  const log = path.join(host.host.directory, 'log.json');
  const flags = ['--log', log, '--log-format=json'];
  await host.run([...flags, 'state', 'nobody']);
  const line = JSON.parse(readFileSync(log, 'utf8'));
  assert.deepEqual(Object.keys(line).sort(), ['level', 'msg', 'time']);
  assert.match(line.msg, /container "nobody" does not exist/);
  await host.succeed(...flags, 'list');
  assert.equal(readFileSync(log, 'utf8').split('\n').length, 2);
  await host.fail(/--log-format is "xml"/, '--log', log, '--log-format', 'xml', 'list');
  assert.match(readFileSync(log, 'utf8'), /\ntime="[^"]+" level=error msg="[^\n]+"\n$/);
  writeFileSync(log, '{}\n');
  await host.run([`--log=file:${log}`, '--log-format=json', 'state', 'nobody']);
  assert.match(readFileSync(log, 'utf8'), /^\{\}\n\{"level":"error",[^\n]+\}\n$/);
});

test('what the command line refuses is refused before anything is made', async () => {
  const bundle = host.makeBundle('refuse', { process: { terminal: true } });
  await host.fail(/--console-socket/, 'create', '-b', bundle, 'refuse');
  await host.fail(/--console-socket/, 'run', '-d', '-b', bundle, 'refuse');
  const plain = host.makeBundle('plain');
  await host.fail(/without a terminal/, 'create', '-b', plain, '--console-socket', '/s', 'plain');
  await host.fail(/--preserve-fds 2/, 'create', '-b', plain, '--preserve-fds', '2', 'plain');
  for (const id of ['../plain', 'a/b', '..', '', 'a b', 'x'.repeat(256)]) {
    await host.fail(/invalid container id/, 'create', '-b', plain, id);
    await host.fail(/invalid container id/, 'delete', '--force', id);
  }
  await host.fail(/unknown flag "--nonsense"/, 'create', '--nonsense', 'plain');
  await host.fail(/no such file or directory/, 'create', '-b', '/nowhere', 'plain');
  assert.deepEqual(host.listLeftovers(), []);
});

async function waitFor(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !condition(); ) {
    assert.ok(Date.now() < deadline, 'it did not come');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
