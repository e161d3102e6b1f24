import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { StubRun } from './stub-run.ts';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(10);
}

describe('life of the stub', { timeout: 60_000 }, () => {
  let run: StubRun;
  beforeEach(() => {
    run = new StubRun();
  });
  afterEach(() => run.close());

  it('says what is wrong with its options', async () => {
    const cases: [readonly string[], string][] = [
      [['--exec', '../x'], 'cannot use the option --exec: Invalid argument'],
      [['--wrong', 'x'], 'cannot use the option --wrong: Invalid argument'],
      [['--rows', '70000'], 'cannot use the option --rows: Invalid argument'],
      [['--bind', 'a/b=/tmp'], 'cannot use the option --bind: Invalid argument'],
      [['--exec'], 'no such option, or it lacks its value: --exec: Invalid argument'],
      [
        ['--share', '/tmp'],
        'options go together: --share, --folder and --rootfs: Invalid argument',
      ],
    ];
    for (const [arguments_, complaint] of cases) {
      assert.equal(await run.prepare({ arguments: arguments_ }), `error: ${complaint}`);
      assert.equal(await run.waitForExit(), 125);
    }
  });

  it('dies with whoever started it, until it was told to go', async () => {
    assert.equal(await run.prepare(), 'ready');
    run.control.destroy();
    assert.equal(await run.waitForExit(), 125);
  });

  it('goes only when it is told so', async () => {
    assert.equal(await run.prepare(), 'ready');
    run.control.write('no\n');
    assert.equal(await run.waitForExit(), 125);
  });

  it('waits with its end for that of whoever started it and does not wait for it', async () => {
    await run.start({ arguments: ['--detached'] });
    run.process.write('stdout', 'all\n');
    run.process.exit(7);
    await until(() => run.stdout.toString() === 'all\n');
    assert.equal(await Promise.race([run.waitForExit(), wait(500, 'waits')]), 'waits');
    run.child.kill('SIGKILL');
    assert.equal(await run.waitForExit(), 'SIGKILL');
  });

  it('holds its own descriptors and no other', async () => {
    await run.start();
    const folder = `/proc/${run.child.pid}/fd`;
    const kinds = readdirSync(folder).map((fd) =>
      readlinkSync(`${folder}/${fd}`).replace(/:.*/, ''),
    );
    // Its streams, /dev/null for those that break, the socket's folder, signals, the sandboxer.
    const expected = [
      'socket',
      'socket',
      'socket',
      run.folder,
      'anon_inode',
      '/dev/null',
      'socket',
    ];
    assert.deepEqual(kinds.sort(), expected.sort());
    assert.equal(readlinkSync(`/proc/${run.child.pid}/cwd`), run.folder);
    assert.equal(readFileSync(`/proc/${run.child.pid}/comm`, 'utf8'), 'wardian-stub\n');
  });

  it('passes signals on, also those that came before', async () => {
    await run.sandboxer.listen();
    await run.prepare();
    run.child.kill('SIGUSR2');
    run.go();
    await until(() => run.process.signals.length === 1);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGWINCH', 'SIGTSTP'] as const) {
      const { length } = run.process.signals;
      run.child.kill(signal);
      await until(() => run.process.signals.length > length);
    }
    run.child.kill('SIGCHLD');
    run.child.kill('SIGPIPE');
    run.child.kill('SIGUSR1');
    await until(() => run.process.signals.length === 7);
    assert.deepEqual(run.process.signals, [12, 15, 2, 1, 28, 20, 10]);
    run.process.exit(143, { signal: 15 });
    assert.equal(await run.waitForExit(), 143);
  });

  it('keeps signals for the next sandboxer', async () => {
    await run.start();
    run.sandboxer.die();
    run.child.kill('SIGTERM');
    await wait(50);
    run.child.kill('SIGTERM');
    await wait(50);
    await run.sandboxer.listen();
    await until(() => run.process.signals.length > 0);
    await wait(50);
    assert.deepEqual(run.process.signals, [15]);
    assert.equal(run.child.exitCode, null);
  });

  it('starts a sandboxer when none listens, without anything of its own', async () => {
    const out = path.join(run.folder, 'started');
    const script = `{ ls -l /proc/$$/fd; cat /proc/$$/status; echo "$FROM"; pwd; } > ${out}.new; mv ${out}.new ${out}`;
    await run.prepare({
      sandboxer: ['/bin/sh', '-c', script],
      environment: { FROM: 'the environment' },
    });
    run.go();
    await until(() => existsSync(out));
    const report = readFileSync(out, 'utf8');
    const descriptors = [...report.matchAll(/ (\d+) -> (.*)$/gm)].map(([, , target]) => target);
    const log = path.join(run.folder, 'sandboxer.log');
    assert.deepEqual(descriptors.slice(0, 3), ['/dev/null', `${out}.new`, log]);
    assert.equal(report.includes('socket:'), false);
    assert.match(report, /SigBlk:\s0+\n/);
    assert.match(report, /SigIgn:\s0+\n/);
    const own = readFileSync('/proc/self/status', 'utf8');
    assert.equal(/CapEff.*/.exec(report)?.[0], /CapEff.*/.exec(own)?.[0]);
    assert.match(report, /the environment\n\/\n$/);
    await run.sandboxer.listen();
    await run.sandboxer.waitFor(() => run.sandboxer.attaches.length > 0);
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
  });

  it('starts no second one soon after', async () => {
    const out = path.join(run.folder, 'starts');
    await run.prepare({ sandboxer: ['/bin/sh', '-c', `echo >> ${out}`] });
    run.go();
    await until(() => existsSync(out));
    await wait(1000);
    assert.equal(readFileSync(out, 'utf8'), '\n');
  });

  it('ends when the folder of its sandboxer is removed', async () => {
    await run.start();
    run.sandboxer.die();
    rmSync(run.folder, { recursive: true });
    assert.equal(await run.waitForExit(), 255);
    assert.match(run.stderr, /^wardian: the sandboxer's folder was removed/);
  });

  it('gives up its privileges', async () => {
    await run.start();
    const status = readFileSync(`/proc/${run.child.pid}/status`, 'utf8');
    assert.match(status, /CapPrm:\s0+\nCapEff:\s0+\n/);
    assert.match(status, /NoNewPrivs:\s1\n/);
  });
});
