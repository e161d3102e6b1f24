import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, isOurRuntime, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { PODMAN_PROGRAMS, Podman } from '../support/engines/podman.ts';

const onlyOurs = !isOurRuntime && 'about virtual machines';

describe('podman run', { skip: reasonToSkipEngine(PODMAN_PROGRAMS) }, () => {
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

  const run = (...argv: string[]) => podman.run(['run', '--rm', '--network', 'none', ...argv]);
  const print = (...argv: string[]) =>
    podman.succeed(['run', '--rm', '--network', 'none', ...argv]);

  it('hands on output, errors and the exit code', async () => {
    const result = await run(IMAGE, 'sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.deepEqual(result, { exitCode: 7, signal: null, stdout: 'out\n', stderr: 'err\n' });
  });

  it('runs in a machine with a kernel of its own', { skip: onlyOurs }, async () => {
    const host = await room.succeed(['cat', '/proc/sys/kernel/random/boot_id']);
    assert.notEqual(await print(IMAGE, 'cat', '/proc/sys/kernel/random/boot_id'), host);
  });

  it('feeds standard input to its end', async () => {
    const stdin = 'line\n'.repeat(40_000);
    const argv = ['run', '--rm', '--interactive', '--network', 'none', IMAGE, 'sha256sum'];
    const expected = await room.succeed(['sha256sum'], { stdin });
    assert.equal(await podman.succeed(argv, { stdin }), expected);
  });

  it('lets through more output than any buffer holds', async () => {
    const argv = [IMAGE, 'sh', '-c', 'dd if=/dev/zero bs=64k count=64 2>/dev/null'];
    assert.equal((await run(...argv)).stdout.length, 4 * 2 ** 20);
  });

  it('tells a command that is missing from one that cannot run', async () => {
    const missing = await run(IMAGE, 'no-such-program');
    assert.equal(missing.exitCode, 127, missing.stderr);
    assert.match(missing.stderr, /no-such-program/);
    const denied = await run(IMAGE, '/etc/passwd');
    assert.equal(denied.exitCode, 126, denied.stderr);
    assert.match(denied.stderr, /permission denied/i);
  });

  it('takes user, groups, folder and environment', async () => {
    const flags = ['--user', 'user', '--workdir', '/tmp', '--env', 'COLOUR=red'];
    const text = await print(...flags, IMAGE, 'sh', '-c', 'id -u; id -G; pwd; echo $COLOUR $HOME');
    assert.deepEqual(text.split('\n'), ['1000', '1000 2000', '/tmp', 'red /home']);
  });

  it('names the host', async () => {
    const flags = ['--hostname', 'glass', '--add-host', 'friend:192.0.2.7'];
    const text = await print(...flags, IMAGE, 'sh', '-c', 'hostname; grep friend /etc/hosts');
    assert.match(text, /^glass\n192\.0\.2\.7\s+friend/);
  });

  it('runs an init of its own when asked', async () => {
    const script = 'cat /proc/1/cmdline | tr "\\0" " "';
    assert.match(await print('--init', IMAGE, 'sh', '-c', script), /^\/\S*init -- sh -c/);
  });

  it('keeps the root file system as it is', async () => {
    const script = 'touch /file; echo $?; touch /tmp/file && echo written';
    const { stdout } = await run('--read-only', IMAGE, 'sh', '-c', script);
    assert.equal(stdout, '1\nwritten\n');
    assert.equal(await print(IMAGE, 'sh', '-c', 'echo text > /file; cat /file'), 'text');
  });

  it('adds and drops capabilities', async () => {
    const masks = async (...flags: string[]) => {
      const text = await print(...flags, IMAGE, 'grep', 'CapEff', '/proc/self/status');
      return BigInt(`0x${text.split('\t')[1]}`);
    };
    const [chown, netAdmin] = [1n << 0n, 1n << 12n];
    assert.equal((await masks()) & (chown | netAdmin), chown);
    const changed = await masks('--cap-add', 'NET_ADMIN', '--cap-drop', 'CHOWN');
    assert.equal(changed & (chown | netAdmin), netAdmin);
    assert.equal(await masks('--cap-drop', 'all'), 0n);
  });

  it('keeps privileges from growing', async () => {
    const flags = ['--security-opt', 'no-new-privileges'];
    const text = await print(...flags, IMAGE, 'grep', 'NoNewPrivs', '/proc/self/status');
    assert.equal(text, 'NoNewPrivs:\t1');
  });

  it('filters system calls by a profile', async () => {
    const profile = path.join(room.directory, 'profile.json');
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 99 };
    writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
    const script = ['sh', '-c', 'mkdir /tmp/folder; grep Seccomp: /proc/self/status'];
    const filtered = await run('--security-opt', `seccomp=${profile}`, IMAGE, ...script);
    assert.match(filtered.stderr, /can't create directory/);
    assert.equal(filtered.stdout, 'Seccomp:\t2\n');
    const free = await run('--security-opt', 'seccomp=unconfined', IMAGE, ...script);
    assert.deepEqual([free.stderr, free.stdout], ['', 'Seccomp:\t0\n']);
  });

  it('limits what a process may open', async () => {
    const flags = ['--ulimit', 'nofile=100:200', '--ulimit', 'nproc=1000:1000'];
    assert.equal(await print(...flags, IMAGE, 'sh', '-c', 'ulimit -n; ulimit -Hn'), '100\n200');
  });

  it('mounts temporary file systems of the size asked for', async () => {
    const flags = ['--tmpfs', '/scratch:size=1m', '--shm-size', '2m'];
    const script = "df -k /scratch /dev/shm | awk 'NR > 1 {print $2}'";
    assert.equal(await print(...flags, IMAGE, 'sh', '-c', script), '1024\n2048');
  });

  it('hides and protects parts of /proc', async () => {
    const { stdout, stderr } = await run(
      IMAGE,
      'sh',
      '-c',
      'cat /proc/kcore | wc -c; echo 1 > /proc/sys/kernel/domainname',
    );
    assert.equal(stdout, '0\n');
    assert.match(stderr, /Read-only file system/);
  });

  it('limits memory, processors and processes', { skip: onlyOurs }, async () => {
    const flags = ['--memory', '200m', '--cpus', '0.5', '--pids-limit', '60'];
    const script = 'cd /sys/fs/cgroup; cat memory.max cpu.max pids.max; nproc';
    const text = await print(...flags, IMAGE, 'sh', '-c', script);
    assert.deepEqual(text.split('\n'), [String(200 * 2 ** 20), '50000 100000', '60', '1']);
  });

  it('kills what takes more memory than it may', async () => {
    const script = 'dd if=/dev/zero of=/dev/null bs=300M count=1';
    const { exitCode } = await run(
      '--memory',
      '64m',
      '--memory-swap',
      '64m',
      IMAGE,
      'sh',
      '-c',
      script,
    );
    assert.notEqual(exitCode, 0);
  });

  it('sets parameters of the kernel', async () => {
    const flags = ['--sysctl', 'kernel.msgmax=65536'];
    assert.equal(await print(...flags, IMAGE, 'cat', '/proc/sys/kernel/msgmax'), '65536');
  });

  it('says what a virtual machine cannot mean', { skip: onlyOurs }, async () => {
    const pid = await run('--pid', 'host', IMAGE, 'true');
    assert.equal(pid.exitCode, 126, pid.stderr);
    assert.match(pid.stderr, /pid namespace/i);
  });

  it('needs no control group when it is told so', async () => {
    assert.equal(await print('--cgroups', 'disabled', IMAGE, 'echo', 'free'), 'free');
  });

  it('runs several at once', async () => {
    const texts = await Promise.all(['1', '2', '3', '4'].map((text) => print(IMAGE, 'echo', text)));
    assert.deepEqual(texts, ['1', '2', '3', '4']);
  });
});
