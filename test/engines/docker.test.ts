import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DOCKER_PROGRAMS, Docker } from '../support/engines/docker.ts';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, isOurRuntime, reasonToSkipEngine } from '../support/engines/engine-room.ts';

const onlyOurs = !isOurRuntime && 'about virtual machines';

describe('Docker', { skip: reasonToSkipEngine(DOCKER_PROGRAMS) }, () => {
  let room: EngineRoom;
  let docker: Docker;
  before(async () => {
    room = await EngineRoom.open();
    docker = await Docker.open(room);
  });
  after(async () => {
    await docker?.clear();
    await room?.close();
  });

  const run = (...argv: string[]) => docker.run(['run', '--rm', '--network', 'none', ...argv]);
  const print = (...argv: string[]) =>
    docker.succeed(['run', '--rm', '--network', 'none', ...argv]);

  async function start(...argv: string[]): Promise<string> {
    const name = `c${randomBytes(4).toString('hex')}`;
    await docker.succeed(['run', '--detach', '--name', name, ...argv]);
    return name;
  }

  async function waitForLogs(name: string, pattern: RegExp): Promise<string> {
    for (const deadline = Date.now() + 30_000; ; await delay(50)) {
      const { stdout } = await docker.run(['logs', name]);
      if (pattern.test(stdout)) return stdout;
      assert.ok(Date.now() < deadline, `the log of ${name} stays ${JSON.stringify(stdout)}`);
    }
  }

  it('hands on output, errors and the exit code', async () => {
    const result = await run(IMAGE, 'sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.deepEqual(result, { exitCode: 7, signal: null, stdout: 'out\n', stderr: 'err\n' });
  });

  it('runs in a machine with a kernel of its own', { skip: onlyOurs }, async () => {
    const host = await room.succeed(['cat', '/proc/sys/kernel/random/boot_id']);
    assert.notEqual(await print(IMAGE, 'cat', '/proc/sys/kernel/random/boot_id'), host);
  });

  it('tells a command that is missing from one that cannot run', async () => {
    const missing = await run(IMAGE, 'no-such-program');
    assert.equal(missing.exitCode, isOurRuntime ? 127 : 125, missing.stderr); // crun's words are not Docker's
    const denied = await run(IMAGE, '/etc/passwd');
    assert.equal(denied.exitCode, 126, denied.stderr);
  });

  it('feeds standard input to its end', async () => {
    const stdin = 'line\n'.repeat(20_000);
    const argv = ['run', '--rm', '--interactive', '--network', 'none', IMAGE, 'sha256sum'];
    assert.equal(
      await docker.succeed(argv, { stdin }),
      await room.succeed(['sha256sum'], { stdin }),
    );
  });

  it('types into a shell on a terminal', async () => {
    const argv = docker.command('run', '--rm', '-it', '--network', 'none', IMAGE, 'sh');
    const terminal = room.openTerminal(argv, 'stty rows 33 cols 99');
    await terminal.waitFor(/\/ # /);
    terminal.type('echo size $(stty size)\r');
    await terminal.waitFor(/size 33 99\r\n/);
    terminal.type('exit 5\r');
    assert.equal(await terminal.closed, 5);
  });

  it('takes users, folders, capabilities, limits and temporary file systems', async () => {
    const flags = ['--user', 'user', '--workdir', '/new', '--env', 'A=b', '--cap-drop', 'all'];
    const more = [
      '--tmpfs',
      '/scratch:size=1m',
      '--ulimit',
      'nofile=100:200',
      '--init',
      '--read-only',
    ];
    const script =
      "id -u; pwd; echo $A; grep CapBnd /proc/self/status; df -k /scratch | awk 'NR > 1 {print $2}'; ulimit -n";
    assert.deepEqual((await print(...flags, ...more, IMAGE, 'sh', '-c', script)).split('\n'), [
      '1000',
      '/new',
      'b',
      'CapBnd:\t0000000000000000',
      '1024',
      '100',
    ]);
  });

  it('shares folders, files and volumes', async () => {
    const folder = path.join(room.directory, 'folder');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'file'), 'of the host\n');
    const flags = ['-v', `${folder}:/mnt`, '-v', `${folder}/file:/one:ro`, '-v', 'kept:/kept'];
    const script = 'cat /one; echo guest > /mnt/new; echo kept > /kept/file; echo > /one';
    const { stdout, stderr } = await run(...flags, IMAGE, 'sh', '-c', script);
    assert.equal(stdout, 'of the host\n');
    assert.match(stderr, /Read-only file system/);
    assert.equal(readFileSync(path.join(folder, 'new'), 'utf8'), 'guest\n');
    assert.equal(await print('-v', 'kept:/kept', IMAGE, 'cat', '/kept/file'), 'kept');
  });

  it('executes beside the container’s process', async () => {
    const name = await start('--env', 'FROM=run', IMAGE, 'sleep', '600');
    const flags = ['exec', '-i', '-u', 'user', '-w', '/tmp', '-e', 'MORE=exec', name];
    const script = 'id -u; pwd; echo $FROM $MORE; cat; exit 9';
    const result = await docker.run([...flags, 'sh', '-c', script], { stdin: 'in\n' });
    assert.deepEqual([result.stdout, result.exitCode], ['1000\n/tmp\nrun exec\nin\n', 9]);
    const terminal = room.openTerminal(docker.command('exec', '-it', name, 'sh'));
    await terminal.waitFor(/\/ # /);
    terminal.type('exit 4\r');
    assert.equal(await terminal.closed, 4);
  });

  it('stops, kills, pauses and restarts', async () => {
    const script = 'trap "echo bye; exit 7" TERM; echo up; while :; do sleep 0.1; done';
    const name = await start('--network', 'none', IMAGE, 'sh', '-c', script);
    await waitForLogs(name, /up/);
    await docker.succeed(['pause', name]);
    assert.equal(await docker.inspect(name, '{{.State.Status}}'), 'paused');
    await docker.succeed(['unpause', name]);
    await docker.succeed(['stop', name]);
    assert.equal(await docker.inspect(name, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 7');
    await docker.succeed(['start', name]);
    assert.equal(await waitForLogs(name, /up\nbye\nup/), 'up\nbye\nup\n');
    await docker.succeed(['kill', name]);
    assert.equal(await docker.succeed(['wait', name]), '137');
  });

  it('restarts by its policy', async () => {
    const flags = ['--network', 'none', '--restart', 'on-failure:2'];
    const name = await start(...flags, IMAGE, 'sh', '-c', 'echo once; exit 3');
    await waitForLogs(name, /once\nonce\nonce/);
    for (const deadline = Date.now() + 20_000; ; await delay(100)) {
      if ((await docker.inspect(name, '{{.State.Status}}')) === 'exited') break;
      assert.ok(Date.now() < deadline, 'it goes on restarting');
    }
    assert.equal(await docker.inspect(name, '{{.RestartCount}} {{.State.ExitCode}}'), '2 3');
  });

  it('limits memory, processors and processes, and changes that', { skip: onlyOurs }, async () => {
    const flags = ['--memory', '300m', '--cpus', '0.5', '--pids-limit', '60'];
    const name = await start('--network', 'none', ...flags, IMAGE, 'sleep', '600');
    const read = async () =>
      (
        await docker.succeed([
          'exec',
          name,
          'sh',
          '-c',
          'cd /sys/fs/cgroup; cat memory.max cpu.max pids.max',
        ])
      ).split('\n');
    assert.deepEqual(await read(), [String(300 * 2 ** 20), '50000 100000', '60']);
    const changed = ['--memory', '200m', '--memory-swap', '200m', '--cpus', '0.25'];
    await docker.succeed(['update', ...changed, '--pids-limit', '50', name]);
    assert.deepEqual(await read(), [String(200 * 2 ** 20), '25000 100000', '50']);
    const beyond = await docker.run(['update', '--memory', '900g', '--memory-swap', '900g', name]);
    assert.notEqual(beyond.exitCode, 0);
  });

  it('shows what a container uses', async () => {
    const name = await start('--network', 'none', IMAGE, 'sh', '-c', 'while :; do :; done');
    const format = '{{.MemUsage}}|{{.PIDs}}|{{.CPUPerc}}';
    const [memory = '', pids = '', load = ''] = (
      await docker.succeed(['stats', '--no-stream', '--format', format, name])
    ).split('|');
    assert.match(memory, /^[\d.]+[KM]iB \/ /);
    assert.ok(Number(pids) >= 1);
    assert.ok(Number.parseFloat(load) > 5, `a busy container uses ${load} of a processor`);
    assert.match(await docker.succeed(['top', name]), /CMD/);
    await docker.succeed(['rm', '--force', name]);
  });

  it('has Docker’s network, and publishes ports', async () => {
    const script = 'mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www';
    const name = await start('--publish', '127.0.0.1:8080:80', IMAGE, 'sh', '-c', script);
    const address = await docker.inspect(name, '{{.NetworkSettings.IPAddress}}');
    const seen = await docker.succeed(['exec', name, 'ip', 'addr', 'show', 'eth0']);
    assert.match(seen, new RegExp(`inet ${address}/16`));
    const fetchPage = async (url: string) => {
      for (const deadline = Date.now() + 20_000; ; await delay(100)) {
        const answer = await room.run(['curl', '--silent', '--max-time', '5', url]);
        if (answer.exitCode === 0) return answer.stdout;
        assert.ok(Date.now() < deadline, `${url} does not answer`);
      }
    };
    assert.equal(await fetchPage(`http://${address}/`), 'page\n');
    assert.equal(await fetchPage('http://127.0.0.1:8080/'), 'page\n');
    const beside = ['run', '--rm', '--network', `container:${name}`, IMAGE];
    assert.match(await docker.succeed([...beside, 'ip', 'addr', 'show', 'eth0']), /inet /);
  });

  it('copies both ways', async () => {
    const name = await start('--network', 'none', IMAGE, 'sleep', '600');
    const file = path.join(room.directory, 'copied');
    writeFileSync(file, 'in\n');
    await docker.succeed(['cp', file, `${name}:/root/in`]);
    assert.equal(await docker.succeed(['exec', name, 'cat', '/root/in']), 'in');
    await docker.succeed(['exec', name, 'sh', '-c', 'echo out > /root/out']);
    await docker.succeed(['cp', `${name}:/root/out`, file]);
    assert.equal(readFileSync(file, 'utf8'), 'out\n');
  });

  it('builds and commits images', async () => {
    const context = path.join(room.directory, 'context');
    mkdirSync(context);
    writeFileSync(path.join(context, 'data'), 'data\n');
    const lines = ['COPY data /data', 'RUN cat /data /data > /twice', 'CMD cat /twice'];
    writeFileSync(path.join(context, 'Dockerfile'), [`FROM ${IMAGE}`, ...lines, ''].join('\n'));
    await docker.succeed(['build', '--network', 'none', '--tag', 'built', context]);
    assert.equal(await print('built'), 'data\ndata');
    const name = await start('--network', 'none', IMAGE, 'sh', '-c', 'echo more > /more');
    await docker.succeed(['wait', name]);
    await docker.succeed(['commit', name, 'committed']);
    assert.equal(await print('committed', 'cat', '/more'), 'more');
  });
});
