import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { findDirectories } from '../../src/host/directories.ts';
import { findQemu } from '../../src/hypervisor/qemu/installation.ts';
import { loadGuests } from '../../src/template/guest.ts';
import { makeLayer, makeLayout, makeTar, writeFolder } from '../support/oci-layout.ts';
import { TestHost } from '../support/test-host.ts';
import { UnprivilegedUser } from '../support/unprivileged-user.ts';

/** A stem takes a second on a quiet machine. */
const STEM_TIMEOUT_MS = 90_000;
const DEATH_TIMEOUT_MS = 20_000;
const POOL = { WARDIAN_POOL_SIZE: '1', WARDIAN_POOL_REFILL: '50ms' };
const NAMESPACES = ['ipc', 'mnt', 'net', 'uts'];

const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);
const { qemu } = await loadGuests(cache);
const canFork = qemu !== undefined && (await findQemu(qemu.path)).hasStems;
const skip = canFork ? false : 'wardian guest build qemu: the distribution’s QEMU cannot fork';

/** The stem of the only pool member, as soon as there is one. */
async function waitForStem(host: TestHost): Promise<number> {
  const folder = `${path.join(host.runtimeDirectory, 'pool')}/`;
  for (const deadline = Date.now() + STEM_TIMEOUT_MS; Date.now() < deadline; await pause(100)) {
    const { pool } = JSON.parse(await host.succeed(['info', '--json']));
    const found = host.getProcesses().find(({ commandLine }) => commandLine.includes(folder));
    if (pool.ready === 1 && found !== undefined) return found.pid;
  }
  throw new Error('no stem was made');
}

/** Has the pool make a stem of the usual size. */
async function plant(host: TestHost): Promise<number> {
  await host.succeed(['run', '--rm', 'busybox', 'true']);
  return await waitForStem(host);
}

interface Sleeper {
  readonly id: string;
  readonly vmm: number;
}

async function startSleeper(host: TestHost): Promise<Sleeper> {
  const id = (await host.succeed(['run', '-d', 'busybox', 'sleep', '600'])).trim();
  const [details] = JSON.parse(await host.succeed(['inspect', id]));
  return { id, vmm: details.State.Pid };
}

function readStatus(pid: number, field: string): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '';
}

/** The folder that a machine's command line names, with a slash at its end. */
function readFolder(host: TestHost, pid: number): string {
  const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  const folders = commandLine.split('\0').filter((word) => word.includes(host.directory));
  assert.equal(folders.length, 1);
  return folders[0] ?? '';
}

/** Nobody's child any more, so there is nothing to be told of its end. */
async function waitUntilGone(pid: number): Promise<void> {
  for (const deadline = Date.now() + DEATH_TIMEOUT_MS; Date.now() < deadline; await pause(20)) {
    if (!existsSync(`/proc/${pid}`)) return;
  }
  throw new Error(`process ${pid} is still there`);
}

/** Launchers that ask for a fork right now. */
function findLaunchers(host: TestHost): number[] {
  return host
    .getProcesses()
    .filter(({ commandLine }) => commandLine.includes('\0fork\0--control'))
    .map(({ pid }) => pid);
}

async function waitForLauncher(host: TestHost): Promise<void> {
  for (const deadline = Date.now() + STEM_TIMEOUT_MS; Date.now() < deadline; await pause(10)) {
    if (findLaunchers(host).length > 0) return;
  }
  throw new Error('nobody asked for a fork');
}

/** VMMs that were forked: of their command line only their program and folder are left. */
function findForks(host: TestHost): number[] {
  const isFork = (commandLine: string): boolean =>
    /\/sandboxes\/[^/]+\/machine\/\0+$/.test(commandLine);
  return host
    .getProcesses()
    .filter(({ commandLine }) => isFork(commandLine))
    .map(({ pid }) => pid);
}

function readNamespaces(pid: number): string[] {
  return NAMESPACES.map((name) => readlinkSync(`/proc/${pid}/ns/${name}`));
}

describe('forked machines', { skip, timeout: 600_000 }, () => {
  let host: TestHost;
  let stem = 0;
  const sleepers: Sleeper[] = [];

  before(async () => {
    host = new TestHost(POOL);
    stem = await plant(host);
    for (let count = 0; count < 3; count += 1) sleepers.push(await startSleeper(host));
  });
  after(async () => {
    await host.succeed(['template', 'prune']); // the stem goes with what it was made from
    await host.close();
  });

  it('come from one stem, which stays', async () => {
    for (const { vmm } of sleepers) assert.equal(Number(readStatus(vmm, 'PPid')), stem);
    assert.equal(findForks(host).length, 3);
    assert.equal(await waitForStem(host), stem);
    assert.equal(JSON.parse(await host.succeed(['info', '--json'])).containers.running, 3);
  });

  it('show the folder of their own sandbox in their command line, and no other', () => {
    for (const { vmm } of sleepers) {
      assert.ok(existsSync(path.join(readFolder(host, vmm), 'agent.sock')));
    }
  });

  it('are each somebody else: random numbers, host name, and the right time', async () => {
    const script =
      'cat /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1; hostname; date +%s';
    const seen = new Set<string>();
    for (const { id } of sleepers) {
      const printed = (await host.succeed(['exec', id, 'sh', '-c', script])).trim().split('\n');
      const [uuid = '', bytes = '', hostname = '', seconds] = printed;
      assert.equal(hostname, id.slice(0, 12));
      assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < 5, `${seconds} is not now`);
      for (const one of [uuid, bytes, hostname]) seen.add(one);
    }
    assert.equal(seen.size, 9);
  });

  it('keep nothing of the throw-away container', async () => {
    const script = 'ps; cat /proc/mounts; ls / /tmp';
    const printed = await host.succeed(['exec', sleepers[0]?.id ?? '', 'sh', '-c', script]);
    assert.doesNotMatch(printed, /echo; cat|0{64}/);
    assert.equal(printed.match(/sleep 600/g)?.length, 1);
  });

  it('are walled off from each other', { skip: process.getuid?.() !== 0 }, () => {
    const users = new Set(sleepers.map(({ vmm }) => readStatus(vmm, 'Uid').split('\t')[0]));
    assert.equal(users.size, 3);
    assert.ok(!users.has('0'));
    for (const { vmm } of sleepers) {
      for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb']) {
        assert.equal(Number(`0x${readStatus(vmm, set)}`), 0, set);
      }
      assert.equal(readStatus(vmm, 'NoNewPrivs'), '1');
      assert.equal(readStatus(vmm, 'Seccomp'), '2');
      assert.equal(readStatus(vmm, 'Groups'), '');
      // What may not be dumped may not be traced, and shows as root's.
      assert.equal(statSync(`/proc/${vmm}/fd`).uid, 0);
    }
    // The stem may change users (bits 6 and 7), make namespaces (21), and write any file with any owner (0, 1, 3, 4, 27
    // and 31) for those forks that must; nothing else of what root may.
    assert.equal(Number(`0x${readStatus(stem, 'CapPrm')}`), 0x882000db);
    assert.equal(Number(`0x${readStatus(stem, 'CapBnd')}`), 0x882000db);
    const all = [stem, process.pid, ...sleepers.map(({ vmm }) => vmm)];
    const namespaces = new Set(all.flatMap(readNamespaces));
    assert.equal(namespaces.size, all.length * NAMESPACES.length);
  });

  it('have no file of their stem or of another sandbox open', () => {
    for (const { vmm } of sleepers) {
      const own = readFolder(host, vmm);
      const open = readdirSync(`/proc/${vmm}/fd`).map((fd) =>
        readlinkSync(`/proc/${vmm}/fd/${fd}`),
      );
      const foreign = open.filter(
        (file) => file.startsWith(host.runtimeDirectory) && !file.startsWith(own),
      );
      assert.deepEqual(foreign, []);
      assert.ok(open.includes(`${own}guest.log`));
    }
    const sockets = [stem, ...sleepers.map(({ vmm }) => vmm)].flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`)
        .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
        .filter((file) => /^socket:/.test(file)),
    );
    assert.equal(new Set(sockets).size, sockets.length);
  });

  it('read their own image, larger than the stem’s, and nothing else', async () => {
    const content = randomBytes(12 * 2 ** 20);
    await host.succeed(['load', '-i', await makeOddImage(host, content), '--name', 'odd']);
    const printed = await host.succeed(['run', '--rm', 'odd', 'sh', '-c', 'sha256sum /data; ls /']);
    const sum = createHash('sha256').update(content).digest('hex');
    assert.match(printed, new RegExp(`^${sum}  /data\n`));
    assert.doesNotMatch(printed, /^home$/m);
    assert.match(printed, /^data$/m);
  });

  it('do not mind when one of them crashes', async () => {
    const victim = sleepers.pop();
    assert.ok(victim !== undefined);
    process.kill(victim.vmm, 'SIGSEGV');
    for (const { id } of sleepers) {
      assert.equal(await host.succeed(['exec', id, 'echo', 'here']), 'here\n');
    }
    assert.equal(await waitForStem(host), stem);
    await host.wardian(['rm', '-f', '-t', '0', victim.id]);
  });

  it('serve a burst', async () => {
    const numbers = Array.from({ length: 12 }, (_, index) => String(index));
    const printed = await Promise.all(
      numbers.map((number) => host.succeed(['run', '--rm', 'busybox', 'echo', number])),
    );
    assert.deepEqual(
      printed,
      numbers.map((number) => `${number}\n`),
    );
    assert.equal(await waitForStem(host), stem);
  });

  it('are adopted when the sandboxer is killed, and the stem goes', async () => {
    process.kill(host.getSandboxerPid() ?? 0, 'SIGKILL');
    for (const { id } of sleepers) {
      assert.equal(await host.succeed(['exec', id, 'echo', 'adopted']), 'adopted\n');
    }
    await waitUntilGone(stem);
    assert.deepEqual(readdirSync(path.join(host.runtimeDirectory, 'pool')), []);
  });

  it('outlive their stem, without which machines are cold until there is another', async () => {
    stem = await plant(host);
    const fork = await startSleeper(host);
    process.kill(stem, 'SIGKILL');
    assert.equal(await host.succeed(['run', '--rm', 'busybox', 'echo', 'cold']), 'cold\n');
    assert.equal(await host.succeed(['exec', fork.id, 'echo', 'here']), 'here\n');
    assert.notEqual(await waitForStem(host), stem);
    assert.equal(await host.succeed(['run', '--rm', 'busybox', 'echo', 'warm']), 'warm\n');
  });

  it('do not come from a stem that hangs, which is given up', async () => {
    stem = await waitForStem(host);
    process.kill(stem, 'SIGSTOP');
    assert.equal(await host.succeed(['run', '--rm', 'busybox', 'echo', 'cold']), 'cold\n');
    await waitUntilGone(stem);
    const log = readFileSync(path.join(host.runtimeDirectory, 'sandboxer.log'), 'utf8');
    assert.match(log, /a machine of the pool could not be used: cannot ask the stem for a fork/);
    assert.notEqual(await waitForStem(host), stem);
  });

  it('end when nobody hears of them: a request that was given up runs nothing', async () => {
    stem = await waitForStem(host);
    const running = findForks(host);
    process.kill(stem, 'SIGSTOP');
    const asking = host.start(['run', '--rm', 'busybox', 'sleep', '600']);
    await waitForLauncher(host);
    const [launcher = 0] = findLaunchers(host);
    process.kill(launcher, 'SIGKILL');
    process.kill(stem, 'SIGCONT');
    await pause(1_000);
    assert.deepEqual(findForks(host), running);
    asking.kill('SIGKILL');
    await host.succeed(['rm', '--all', '--force', '--time', '0']);
  });

  it('end with their container', async () => {
    const { id, vmm } = await startSleeper(host);
    await host.succeed(['rm', '-f', '-t', '0', id]);
    assert.equal(existsSync(`/proc/${vmm}`), false);
  });
});

describe('forked machines of someone who is not root', { skip, timeout: 300_000 }, () => {
  let user: UnprivilegedUser;
  before(() => {
    user = new UnprivilegedUser();
    Object.assign(user.host.environment, POOL);
  });
  after(async () => {
    await user.host.succeed(['template', 'prune']);
    await user.close();
  });

  it('have namespaces of their own, and cannot trace each other', async (context) => {
    const { host } = user;
    const stem = await plant(host);
    const [one, other] = [await startSleeper(host), await startSleeper(host)];
    assert.equal(Number(readStatus(one.vmm, 'PPid')), stem);
    assert.equal(Number(`0x${readStatus(one.vmm, 'CapEff')}`), 0);
    assert.equal(readStatus(one.vmm, 'Seccomp'), '2');
    assert.equal(statSync(`/proc/${one.vmm}/fd`).uid, 0);
    assert.equal(await host.succeed(['exec', other.id, 'echo', 'here']), 'here\n');
    const { findings } = JSON.parse(await host.succeed(['check', '--json']));
    const confinement = findings.find(
      (found: { subject: string }) => found.subject === 'confinement',
    );
    if (confinement.status !== 'ok') return context.skip(confinement.text);
    const namespaces = [stem, one.vmm, other.vmm].flatMap((pid) => [
      ...readNamespaces(pid),
      readlinkSync(`/proc/${pid}/ns/user`),
    ]);
    assert.equal(new Set(namespaces).size, 3 * (NAMESPACES.length + 1));
  });
});

/** An image with a shell, another tool and a large file, unlike the built-in one in everything else. */
async function makeOddImage(host: TestHost, content: Buffer): Promise<string> {
  const busybox = readFileSync((await loadGuests(cache)).busyboxPath);
  const tar = makeTar([
    { name: 'data', content },
    { name: 'bin/sh', content: busybox, mode: 0o755 },
    ...['ls', 'sha256sum'].map((name) => ({ name: `bin/${name}`, type: '1', linkName: 'bin/sh' })),
  ]);
  const files = makeLayout({ layers: [makeLayer(tar)], config: { Env: ['PATH=/bin'] } });
  return await writeFolder(path.join(host.directory, 'odd'), files);
}
