import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestHost } from '../support/test-host.ts';

let host: TestHost;
before(() => {
  host = new TestHost();
});
after(() => host.close());

test('the first command prints what the container prints, and nothing else', async () => {
  const result = await host.wardian(['run', '--rm', 'busybox', 'echo', 'hello']);
  assert.deepEqual([result.exitCode, result.stdout], [0, 'hello\n'], result.stderr);
  const again = await host.wardian(['run', '--rm', 'busybox', 'echo', 'hello']);
  assert.deepEqual(again, { exitCode: 0, signal: null, stdout: 'hello\n', stderr: '' });
});

test('standard streams stay apart and exit codes come through', async () => {
  const script = 'echo out; echo err >&2; exit 42';
  const result = await host.wardian(['run', '--rm', 'busybox', 'sh', '-c', script]);
  assert.deepEqual(result, { exitCode: 42, signal: null, stdout: 'out\n', stderr: 'err\n' });
});

test('a process that is killed by a signal gives 128 and the signal', async () => {
  const result = await host.wardian([
    'run',
    '--rm',
    'busybox',
    'sh',
    '-c',
    'kill -SEGV $$; sleep 9',
  ]);
  // PID 1 of a pid namespace is deaf to signals without a handler, as in every container.
  assert.ok([139, 0].includes(result.exitCode ?? -1));
  const child = await host.wardian([
    'run',
    '--rm',
    'busybox',
    'sh',
    '-c',
    'sh -c "kill -9 \\$\\$"; exit $?',
  ]);
  assert.equal(child.exitCode, 137);
});

test('commands that cannot be run give 127 and 126 and leave nothing', async () => {
  const missing = await host.wardian(['run', 'busybox', 'no-such-command']);
  assert.equal(missing.exitCode, 127);
  assert.match(missing.stderr, /executable file "no-such-command" not found in \$PATH/);
  const directory = await host.wardian(['run', 'busybox', '/etc']);
  assert.equal(directory.exitCode, 126, directory.stderr);
  const plain = await host.wardian(['run', 'busybox', '/etc/passwd']);
  assert.equal(plain.exitCode, 126, plain.stderr);
  assert.equal(await host.succeed(['ps', '-aq']), '');
});

test('environment, user, working directory, host name, entry point', async () => {
  const flags = [
    '-e',
    'A=1',
    '-e',
    'EMPTY=',
    '-w',
    '/deep/er',
    '-u',
    '1000:2000',
    '--hostname',
    'glass',
  ];
  const script = 'echo $A-$EMPTY-; pwd; id -u; id -g; hostname; echo $HOSTNAME';
  const output = await host.succeed(['run', '--rm', ...flags, 'busybox', 'sh', '-c', script]);
  assert.deepEqual(output.split('\n'), ['1--', '/deep/er', '1000', '2000', 'glass', 'glass', '']);
  assert.equal(
    await host.succeed(['run', '--rm', '--entrypoint', 'echo', 'busybox', 'from', 'entrypoint']),
    'from entrypoint\n',
  );
});

test('the container is confined as podman’s are', async () => {
  const script = `
    grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t' ; echo $$
    touch /proc/sys/kernel/x 2>/dev/null || echo proc-ro
    cat /proc/kcore 2>/dev/null | head -c 1 | wc -c; ls /proc/1/root >/dev/null && echo own-root
    mount -t tmpfs x /mnt 2>/dev/null || echo no-mount; hostname other 2>/dev/null || echo no-sethostname
    test -c /dev/null && test -c /dev/tty && test -d /dev/shm && echo dev`;
  const output = await host.succeed(['run', '--rm', 'busybox', 'sh', '-c', script]);
  assert.match(output, /CapEff:00000000800405fb\n/);
  assert.match(output, /Seccomp:2\n/);
  for (const word of [
    '\n1\n',
    'proc-ro',
    '\n0\n',
    'own-root',
    'no-mount',
    'no-sethostname',
    'dev',
  ]) {
    assert.ok(output.includes(word), `${word} in ${output}`);
  }
});

test('--read-only and --tmpfs', async () => {
  const script =
    'touch /x 2>&1; touch /scratch/y && ls /scratch; touch /tmp/z && echo tmp; df /scratch | tail -1';
  const flags = ['--read-only', '--tmpfs', '/scratch:size=1m,mode=1777'];
  const output = await host.succeed(['run', '--rm', ...flags, 'busybox', 'sh', '-c', script]);
  assert.match(output, /Read-only file system/);
  assert.match(output, /\ny\ntmp\n/);
  assert.match(output, /\b1024\b/);
});

test('a container boots cold with --no-template', async () => {
  const output = await host.succeed(['run', '--rm', '--no-template', 'busybox', 'uname']);
  assert.equal(output, 'Linux\n');
});

test('a container has the limits it asks for, not those of the one that was made before it', async () => {
  const flags = [[], ['--pids-limit', '77'], ['--memory', '64m']];
  const script = 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max /proc/self/oom_score_adj';
  const runs = flags.map((flag) =>
    host.succeed(['run', '--rm', ...flag, 'busybox', 'sh', '-c', script]),
  );
  const limits = (await Promise.all(runs)).map((output) => output.trim().split('\n'));
  assert.deepEqual(limits, [
    ['2048', 'max', '0'],
    ['77', 'max', '0'],
    ['2048', String(64 * 1024 * 1024), '0'],
  ]);
});

test('stdin comes to a container that was made before anybody knew of it', async () => {
  const echoed = await host.succeed(['run', '--rm', '-i', 'busybox', 'cat'], {
    stdin: 'in and out',
  });
  assert.equal(echoed, 'in and out');
  const kind = ['run', '--rm', 'busybox', 'readlink', '/proc/self/fd/0'];
  assert.equal(await host.succeed(kind), '/dev/null\n');
});

test('ten at once', async () => {
  const runs = Array.from({ length: 10 }, (_, index) =>
    host.succeed(['run', '--rm', 'busybox', 'echo', String(index)]),
  );
  const outputs = await Promise.all(runs);
  assert.deepEqual(outputs.map(Number), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('clones share no random bytes, clock or host name, and show no MAC address', async () => {
  const script = `head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n'; echo
    cat /proc/sys/kernel/random/uuid; hostname; ls /sys/class/net; date +%s%N | cut -c1-13`;
  const runs = [1, 2, 3].map(() => host.succeed(['run', '--rm', 'busybox', 'sh', '-c', script]));
  const clones = (await Promise.all(runs)).map((output) => output.trim().split('\n'));
  for (const field of [0, 1, 2]) {
    assert.equal(new Set(clones.map((clone) => clone[field])).size, 3, `field ${field}`);
  }
  for (const clone of clones) {
    assert.equal(clone[0]?.length, 64);
    assert.equal(clone[3], 'lo', "the interface is nobody's until the sandbox has a network");
    const seconds = Number(clone[4]?.slice(0, 10));
    assert.ok(Math.abs(seconds - Date.now() / 1000) < 120, `clock says ${clone[4]}`);
  }
});
