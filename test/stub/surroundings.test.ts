import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { findBusybox } from '../support/engines/engine-image.ts';
import { STUB, StubRun } from './stub-run.ts';

const NOT_ROOT = process.getuid?.() === 0 ? false : 'only root joins namespaces and cgroups';
const FOLDER = 'c1';

/** Folder of a cgroup hierarchy in which a cgroup can be made; undefined when there is none. */
function findHierarchy(): string | undefined {
  const candidates = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/memory', '/sys/fs/cgroup'];
  return candidates.find((folder) => existsSync(`${folder}/cgroup.procs`));
}

function countMounts(pid: number | undefined): number {
  return readFileSync(`/proc/${pid}/mounts`, 'utf8').trim().split('\n').length;
}

describe('surroundings of the stub', { timeout: 60_000, skip: NOT_ROOT }, () => {
  let run: StubRun;
  let others: StubRun[];
  /** Folders made for the test, all below that of the run. */
  let share: string;
  let rootfs: string;
  const undo: (() => void)[] = [];

  beforeEach(() => {
    run = new StubRun();
    others = [];
    share = path.join(run.folder, 'share');
    rootfs = path.join(run.folder, 'rootfs');
    mkdirSync(path.join(rootfs, 'etc'), { recursive: true });
    writeFileSync(path.join(rootfs, 'etc/name'), 'root');
    writeFileSync(path.join(run.folder, 'file'), 'file');
    mkdirSync(path.join(run.folder, 'data/below'), { recursive: true });
  });
  afterEach(() => {
    for (const other of others.splice(0)) other.close();
    for (const step of undo.splice(0).reverse()) step();
    run.close();
  });

  const shareArguments = (...more: string[]): string[] => [
    ...['--share', share, '--folder', FOLDER, '--rootfs', rootfs],
    ...more,
  ];
  const seenAt = (pid: number | undefined, name: string): string =>
    `/proc/${pid}/root${share}/${name}`;
  const mountTmpfs = (folder: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', 'test', folder]);
    undo.push(() => execFileSync('umount', [folder]));
  };

  it('assembles a share that only its own namespace has', async () => {
    mountTmpfs(path.join(run.folder, 'data/below'));
    writeFileSync(path.join(run.folder, 'data/below/deep'), 'deep');
    const line = await run.prepare({
      arguments: shareArguments(
        ...['--bind', `bind0=${run.folder}/file`, '--bind', `bind1=${run.folder}/data`],
        ...['--bind-recursive', `bind2=${run.folder}/data`],
        ...['--bind-readonly', `bind3=${run.folder}/data`],
      ),
    });
    assert.equal(line, 'ready');
    const { pid } = run.child;
    const read = (name: string): string => readFileSync(seenAt(pid, name), 'utf8');
    assert.deepEqual(readdirSync(seenAt(pid, FOLDER)).sort(), [
      ...['bind0', 'bind1', 'bind2', 'bind3', 'rootfs'],
    ]);
    assert.equal(read(`${FOLDER}/rootfs/etc/name`), 'root');
    assert.equal(read(`${FOLDER}/bind0`), 'file');
    assert.deepEqual(readdirSync(seenAt(pid, `${FOLDER}/bind1/below`)), []);
    assert.equal(read(`${FOLDER}/bind2/below/deep`), 'deep');
    writeFileSync(seenAt(pid, `${FOLDER}/rootfs/new`), '');
    assert.throws(() => writeFileSync(seenAt(pid, `${FOLDER}/bind3/new`), ''), /EROFS/);
    assert.deepEqual(readdirSync(share), []);
  });

  it('holds no mount of the host but its share once it serves', async () => {
    await run.start({
      arguments: shareArguments('--bind', `bind0=${run.folder}/file`),
    });
    const { pid } = run.child;
    assert.equal(readFileSync(seenAt(pid, `${FOLDER}/rootfs/etc/name`), 'utf8'), 'root');
    assert.equal(readFileSync(seenAt(pid, `${FOLDER}/bind0`), 'utf8'), 'file');
    assert.equal(countMounts(pid), 5); // root, share, rootfs, bind0, view
    run.process.write('stdout', 'served\n');
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
    assert.equal(run.stdout.toString(), 'served\n');
  });

  it('names a source that is missing', async () => {
    const missing = path.join(run.folder, 'missing');
    assert.equal(
      await run.prepare({ arguments: shareArguments('--bind', `bind0=${missing}`) }),
      `error: cannot share ${missing}: No such file or directory`,
    );
    assert.equal(await run.waitForExit(), 125);
  });

  it('refuses a name twice', async () => {
    const bind = ['--bind', `bind0=${run.folder}/file`];
    assert.equal(
      await run.prepare({ arguments: shareArguments(...bind, ...bind) }),
      `error: cannot share ${run.folder}/file: File exists`,
    );
  });

  it('adds a folder to the share of another stub, and takes it away', async () => {
    await run.start({ arguments: shareArguments() });
    const { pid } = run.child;
    const second = new StubRun();
    others.push(second);
    await second.start({
      arguments: [
        ...['--share', share, '--folder', 'c2', '--rootfs', rootfs],
        ...['--share-namespace', `/proc/${pid}/ns/mnt`, '--bind', `bind0=${run.folder}/file`],
      ],
    });
    assert.deepEqual(readdirSync(seenAt(pid, '')).sort(), [FOLDER, 'c2']);
    assert.equal(readFileSync(seenAt(pid, 'c2/rootfs/etc/name'), 'utf8'), 'root');
    assert.equal(readFileSync(seenAt(pid, 'c2/bind0'), 'utf8'), 'file');
    assert.equal(countMounts(second.child.pid), 2); // root, view
    second.process.exit(0);
    assert.equal(await second.waitForExit(), 0);
    assert.deepEqual(readdirSync(seenAt(pid, '')), [FOLDER]);
    assert.equal(countMounts(pid), 4);
  });

  it('can be cleared away after when it was killed in the sandbox of another', async () => {
    await run.start({ arguments: shareArguments() });
    const { pid } = run.child;
    const second = new StubRun();
    others.push(second);
    const place = ['--share', share, '--folder', 'c2', '--share-namespace', `/proc/${pid}/ns/mnt`];
    await second.start({ arguments: [...place, '--rootfs', rootfs] });
    const mounts = countMounts(pid);
    second.child.kill('SIGKILL');
    assert.equal(await second.waitForExit(), 'SIGKILL');
    assert.deepEqual(readdirSync(seenAt(pid, '')).sort(), [FOLDER, 'c2']);
    execFileSync(STUB, ['clear', ...place]);
    assert.deepEqual(readdirSync(seenAt(pid, '')), [FOLDER]);
    assert.equal(countMounts(pid), mounts - 2);
    execFileSync(STUB, ['clear', ...place]); // nothing is left, which is no error
    run.child.kill('SIGKILL');
    await run.waitForExit();
    execFileSync(STUB, ['clear', ...place]);
    assert.throws(() => execFileSync(STUB, ['clear'], { stdio: 'pipe' }), /options go together/);
  });

  it('shows who enters its mounts the files of the container, and itself alone in /proc', async () => {
    mkdirSync(path.join(rootfs, 'proc'));
    mkdirSync(path.join(rootfs, 'mnt'));
    symlinkSync('/mnt', path.join(rootfs, 'link'));
    writeFileSync(path.join(rootfs, 'mnt/single'), '');
    const place = ['--bind', `bind0=${run.folder}/file`, '--place', 'bind0=/link/single'];
    const lost = ['--bind', `bind1=${run.folder}/file`, '--place', 'bind1=/none/at/all'];
    await run.start({ arguments: shareArguments(...place, ...lost) });
    const { pid } = run.child;
    const look = 'cat /etc/name /mnt/single; echo; ls /proc; cat /proc/[0-9]*/comm';
    const files = ['busybox', 'cat', 'ls', 'sh'];
    mkdirSync(path.join(rootfs, 'bin'));
    copyFileSync(findBusybox(), path.join(rootfs, 'bin/busybox'));
    for (const name of files.slice(1)) symlinkSync('busybox', path.join(rootfs, 'bin', name));
    const seen = execFileSync('nsenter', [
      '--target',
      String(pid),
      '--mount',
      '/bin/sh',
      '-c',
      look,
    ]);
    const words = ['rootfile', String(pid), 'meminfo', 'stat', 'uptime', 'wardian-stub', ''];
    assert.deepEqual(seen.toString().split(/\s+/), words);
    // The share has none of it.
    assert.deepEqual(readdirSync(seenAt(pid, `${FOLDER}/rootfs/proc`)), []);
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
  });

  it('stands in a new network namespace, and in one that it is given', async () => {
    await run.start({ arguments: ['--new-network', '--new-uts', '--new-ipc'] });
    const other = new StubRun();
    others.push(other);
    await other.start({ arguments: ['--network-namespace', `/proc/${run.child.pid}/ns/net`] });
    const [own, first, second] = ['self', run.child.pid, other.child.pid].map((pid) =>
      ['net', 'uts', 'ipc', 'mnt'].map((name) => readlinkSync(`/proc/${pid}/ns/${name}`)),
    );
    for (const index of [0, 1, 2]) assert.notEqual(first?.[index], own?.[index]);
    assert.equal(first?.[3], own?.[3]);
    assert.equal(second?.[0], first?.[0]);
    assert.equal(second?.[1], own?.[1]);
  });

  it('names a namespace that is missing', async () => {
    assert.equal(
      await run.prepare({ arguments: ['--network-namespace', '/run/netns/missing'] }),
      'error: cannot join the namespace /run/netns/missing: No such file or directory',
    );
  });

  it('joins cgroups, and starts a sandboxer outside of them', async (test) => {
    const hierarchy = findHierarchy();
    if (hierarchy === undefined) return test.skip('this host has no cgroups');
    const cgroup = path.join(hierarchy, path.basename(run.folder));
    mkdirSync(cgroup);
    undo.push(() => rmdirSync(cgroup));
    const out = path.join(run.folder, 'started');
    await run.prepare({
      arguments: [...shareArguments('--new-network'), '--cgroup', cgroup],
      sandboxer: [
        '/bin/sh',
        '-c',
        `{ cat /proc/self/cgroup; readlink /proc/self/ns/net /proc/self/ns/mnt; } > ${out}.new; mv ${out}.new ${out}`,
      ],
    });
    const procs = (): string[] => readFileSync(`${cgroup}/cgroup.procs`, 'utf8').trim().split('\n');
    assert.deepEqual(procs(), [String(run.child.pid)]);
    run.go();
    while (!existsSync(out)) await wait(10);
    const namespaces = ['net', 'mnt'].map((name) => readlinkSync(`/proc/self/ns/${name}`));
    const expected = `${readFileSync('/proc/self/cgroup', 'utf8')}${namespaces.join('\n')}\n`;
    assert.equal(readFileSync(out, 'utf8'), expected);
    run.child.kill('SIGKILL');
    await run.waitForExit();
  });

  it('names a cgroup that is missing', async () => {
    assert.equal(
      await run.prepare({ arguments: ['--cgroup', '/sys/fs/cgroup/missing'] }),
      'error: cannot join the cgroup /sys/fs/cgroup/missing: No such file or directory',
    );
  });

  it('keeps its mounts to itself while the host unmounts its own', async () => {
    mountTmpfs(rootfs);
    writeFileSync(path.join(rootfs, 'kept'), 'kept');
    await run.start({ arguments: shareArguments() });
    execFileSync('umount', ['--lazy', rootfs]);
    undo.pop();
    const seen = seenAt(run.child.pid, `${FOLDER}/rootfs`);
    // Where the host's mounts are shared its unmounting arrives here, too; where they are private it does not.
    const isShared = execFileSync('findmnt', ['-no', 'PROPAGATION', '-T', run.folder])
      .toString()
      .includes('shared');
    assert.deepEqual(readdirSync(seen), isShared ? [] : ['kept']);
  });
});
