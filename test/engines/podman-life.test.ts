import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { PODMAN_PROGRAMS, Podman } from '../support/engines/podman.ts';

/** Ends at SIGTERM with 7, prints at SIGUSR1. */
const HEEDFUL =
  'trap "echo bye; exit 7" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 0.1; done';

describe('a container of podman', { skip: reasonToSkipEngine(PODMAN_PROGRAMS) }, () => {
  let room: EngineRoom;
  let podman: Podman;
  before(async () => {
    room = await EngineRoom.open();
    podman = await Podman.open(room);
  });
  after(async () => {
    await podman?.clear();
    await room?.close();
  });

  /** Starts a container in the background; returns its name. */
  async function start(...argv: string[]): Promise<string> {
    const name = `c${randomBytes(4).toString('hex')}`;
    await podman.succeed(['run', '--detach', '--name', name, '--network', 'none', ...argv]);
    return name;
  }

  async function startHeedful(...flags: string[]): Promise<string> {
    const name = await start(...flags, IMAGE, 'sh', '-c', HEEDFUL);
    await waitForLogs(name, /up/);
    return name;
  }

  async function waitForLogs(name: string, pattern: RegExp): Promise<string> {
    for (const deadline = Date.now() + 30_000; ; await delay(50)) {
      const text = await podman.succeed(['logs', name]);
      if (pattern.test(text)) return text;
      assert.ok(Date.now() < deadline, `the log of ${name} stays ${JSON.stringify(text)}`);
    }
  }

  it('lives until it is stopped, and its code and log stay', async () => {
    const name = await startHeedful();
    assert.equal(await podman.inspect(name, '{{.State.Status}}'), 'running');
    await podman.succeed(['stop', name]);
    assert.equal(await podman.inspect(name, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 7');
    assert.equal(await podman.succeed(['logs', name]), 'up\nbye');
  });

  it('is killed when it does not heed the signal', async () => {
    const name = await start(IMAGE, 'sleep', '600');
    await podman.succeed(['stop', '--time', '1', name]);
    assert.equal(await podman.inspect(name, '{{.State.ExitCode}}'), '137');
  });

  it('gets the signals it is sent', async () => {
    const name = await startHeedful();
    await podman.succeed(['kill', '--signal', 'USR1', name]);
    assert.equal(await waitForLogs(name, /usr1/), 'up\nusr1');
    await podman.succeed(['kill', name]);
    assert.equal(await podman.succeed(['wait', name]), '137');
    assert.notEqual((await podman.run(['kill', name])).exitCode, 0);
  });

  it('stands still while it is paused', async () => {
    const name = await start(IMAGE, 'sh', '-c', 'while :; do date +%s%N; sleep 0.1; done');
    await podman.succeed(['pause', name]);
    assert.equal(await podman.inspect(name, '{{.State.Status}}'), 'paused');
    const before = await podman.succeed(['logs', name]);
    await delay(500);
    assert.equal(await podman.succeed(['logs', name]), before);
    await podman.succeed(['unpause', name]);
    await delay(500);
    assert.notEqual(await podman.succeed(['logs', name]), before);
    await podman.succeed(['rm', '--force', '--time', '0', name]);
  });

  it('starts again with what it had written', async () => {
    const name = await start(IMAGE, 'sh', '-c', 'cat /count; echo run >> /count; sleep 600');
    await podman.succeed(['restart', '--time', '0', name]);
    assert.match(await waitForLogs(name, /run/), /run$/);
    await podman.succeed(['stop', '--time', '0', name]);
    await podman.succeed(['start', name]);
    await waitForLogs(name, /run\nrun$/);
  });

  it('is created first and started later', async () => {
    const id = await podman.succeed(['create', '--network', 'none', IMAGE, 'echo', 'late']);
    assert.equal(await podman.inspect(id, '{{.State.Status}}'), 'created');
    assert.equal(await podman.succeed(['start', '--attach', id]), 'late');
    const initial = await podman.succeed(['create', '--network', 'none', IMAGE, 'sleep', '600']);
    await podman.succeed(['init', initial]);
    assert.equal(await podman.inspect(initial, '{{.State.Status}}'), 'initialized');
    await podman.succeed(['start', initial]);
    assert.equal(await podman.inspect(initial, '{{.State.Status}}'), 'running');
    const removed = await podman.succeed(['create', '--network', 'none', IMAGE, 'sleep', '600']);
    await podman.succeed(['init', removed]);
    await podman.succeed(['rm', '--force', removed]);
  });

  it('is attached to, and outlives that', async () => {
    const name = await start(
      '--interactive',
      IMAGE,
      'sh',
      '-c',
      'while read line; do echo got $line; done',
    );
    const client = await podman.run(['attach', name], { stdin: 'a\nb\n' });
    assert.equal(client.stdout.trim(), 'got a\ngot b');
    assert.equal(await podman.succeed(['wait', name]), '0');
  });

  it('restarts by its policy', async () => {
    const name = await start('--restart', 'on-failure:2', IMAGE, 'sh', '-c', 'echo once; exit 3');
    await waitForLogs(name, /once\nonce\nonce/);
    await delay(500);
    assert.equal(await podman.succeed(['logs', name]), 'once\nonce\nonce');
    assert.equal(await podman.inspect(name, '{{.RestartCount}} {{.State.ExitCode}}'), '2 3');
  });

  it('shows what it uses, and its processes', async () => {
    const name = await start(IMAGE, 'sh', '-c', 'while :; do :; done');
    const format = '{{.MemUsage}}|{{.PIDs}}|{{.CPUPerc}}';
    const [memory = '', pids = ''] = (
      await podman.succeed(['stats', '--no-stream', '--format', format, name])
    ).split('|');
    assert.match(memory, /^[\d.]+[kM]B \/ [\d.]+GB$/);
    assert.ok(Number(pids) >= 1);
    assert.match(await podman.succeed(['top', name]), /COMMAND/);
    await podman.succeed(['rm', '--force', '--time', '0', name]);
  });

  it('tells its health', async () => {
    const flags = ['--health-cmd', 'test -e /healthy', '--health-interval', 'disable'];
    const name = await start(...flags, '--health-retries', '1', IMAGE, 'sleep', '600');
    assert.equal((await podman.run(['healthcheck', 'run', name])).exitCode, 1);
    await podman.succeed(['exec', name, 'touch', '/healthy']);
    assert.equal((await podman.run(['healthcheck', 'run', name])).exitCode, 0);
    await podman.succeed(['rm', '--force', '--time', '0', name]);
  });

  it('takes new limits', async () => {
    const name = await start('--memory', '300m', IMAGE, 'sleep', '600');
    await podman.succeed(['update', '--memory', '200m', '--cpus', '0.5', name]);
    await podman.succeed(['rm', '--force', '--time', '0', name]);
  });

  describe('exec', () => {
    let name: string;
    before(async () => {
      name = await start('--env', 'FROM=run', IMAGE, 'sleep', '600');
    });
    const exec = (...argv: string[]) => podman.run(['exec', ...argv]);

    it('has streams, code, user, folder and environment of its own', async () => {
      const flags = ['--interactive', '--user', 'user', '--workdir', '/tmp', '--env', 'MORE=exec'];
      const script = 'id -u; pwd; echo $FROM $MORE; cat; echo err >&2; exit 9';
      const argv = ['exec', ...flags, name, 'sh', '-c', script];
      assert.deepEqual(await podman.run(argv, { stdin: 'in\n' }), {
        exitCode: 9,
        signal: null,
        stdout: '1000\n/tmp\nrun exec\nin\n',
        stderr: 'err\n',
      });
    });

    it('hands on the code of what ends at once, each time', async () => {
      for (let code = 0; code < 30; code++) {
        assert.equal((await exec(name, 'sh', '-c', `exit ${code}`)).exitCode, code);
      }
    });

    it('sees the processes of its container', async () => {
      assert.match((await exec(name, 'ps', '-o', 'pid,args')).stdout, /\n +1 sleep 600\n/);
    });

    it('tells a command that is missing from one that cannot run', async () => {
      assert.equal((await exec(name, 'nothing-here')).exitCode, 127);
      assert.equal((await exec(name, '/etc/passwd')).exitCode, 126);
    });

    it('goes on in the background', async () => {
      const script = 'sleep 0.3; echo late > /tmp/late';
      await podman.succeed(['exec', '--detach', name, 'sh', '-c', script]);
      for (const deadline = Date.now() + 20_000; ; await delay(100)) {
        if ((await exec(name, 'cat', '/tmp/late')).stdout === 'late\n') break;
        assert.ok(Date.now() < deadline, 'the background process has written nothing');
      }
    });

    it('runs many at once', async () => {
      const results = await Promise.all(
        ['1', '2', '3', '4'].map((text) => exec(name, 'echo', text)),
      );
      assert.deepEqual(
        results.map(({ stdout }) => stdout),
        ['1\n', '2\n', '3\n', '4\n'],
      );
    });

    it('ends with its container', async () => {
      const running = exec(name, 'sleep', '600');
      await delay(1000);
      await podman.succeed(['rm', '--force', '--time', '0', name]);
      // podman forgets the session with the container: it may miss the code, and says 255 then.
      assert.ok([137, 255].includes((await running).exitCode ?? 0));
      assert.notEqual((await exec(name, 'true')).exitCode, 0);
    });
  });
});
