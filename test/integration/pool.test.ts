import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { findDirectories } from '../../src/host/directories.ts';
import { makeLayer, makeLayout, makeTar, writeFolder } from '../support/oci-layout.ts';
import { TestHost } from '../support/test-host.ts';
import { UnprivilegedUser } from '../support/unprivileged-user.ts';

/** A member takes a second on a quiet machine. */
const FILL_TIMEOUT_MS = 90_000;
const SLEEP = ['busybox', 'sleep', '600'];

interface Pool {
  size: number;
  ready: number;
  memoryBytes: number;
  making: boolean;
}

function withHost(environment: Record<string, string> = {}): () => TestHost {
  let host: TestHost;
  before(() => {
    // A QEMU that can be forked keeps one machine for all starts, and gives none away.
    const given = { WARDIAN_GUEST: 'distro', WARDIAN_POOL_SIZE: '1', WARDIAN_POOL_REFILL: '50ms' };
    host = new TestHost({ ...given, ...environment });
  });
  after(() => host.close());
  return () => host;
}

async function getPool(host: TestHost): Promise<Pool> {
  return JSON.parse(await host.succeed(['info', '--json'])).pool;
}

async function waitForPool(host: TestHost, isSo: (pool: Pool) => boolean): Promise<Pool> {
  for (const deadline = Date.now() + FILL_TIMEOUT_MS; Date.now() < deadline; await pause(200)) {
    const pool = await getPool(host);
    if (isSo(pool)) return pool;
  }
  throw new Error(`the pool stayed ${JSON.stringify(await getPool(host))}`);
}

/** Asks for one machine, so that the pool makes others of its kind, and no others. */
async function fill(host: TestHost, count = 1): Promise<Pool> {
  await host.succeed(['template', 'prune']);
  await host.succeed(['run', '--rm', 'busybox', 'true']);
  return waitForPool(host, ({ ready }) => ready === count);
}

function poolFolder(host: TestHost): string {
  return path.join(host.runtimeDirectory, 'pool');
}

/** VMMs that were made for the pool. */
function getPoolVmms(host: TestHost): number[] {
  const folder = `${poolFolder(host)}/`;
  return host
    .getProcesses()
    .filter(({ commandLine }) => commandLine.includes(folder))
    .map(({ pid }) => pid);
}

/** Starts a container that stays, and says whether its machine came from the pool. */
async function startSleeper(host: TestHost, ...flags: string[]) {
  const id = (await host.succeed(['run', '-d', ...flags, ...SLEEP])).trim();
  const [details] = JSON.parse(await host.succeed(['inspect', id]));
  const vmm: number = details.State.Pid;
  return { id, vmm, isFromPool: getPoolVmms(host).includes(vmm) };
}

describe('a machine from the pool', () => {
  const getHost = withHost();

  it('serves a container as any other does, and leaves nothing', async () => {
    const host = getHost();
    const { memoryBytes } = await fill(host);
    assert.ok(memoryBytes > 2 ** 20, `${memoryBytes} bytes are not a machine`);
    const { id, isFromPool } = await startSleeper(host);
    assert.ok(isFromPool);
    assert.equal(await host.succeed(['exec', '-i', id, 'cat'], { stdin: 'in\n' }), 'in\n');
    assert.equal(await host.succeed(['exec', id, 'hostname']), `${id.slice(0, 12)}\n`);
    assert.match(await host.succeed(['ps']), /sleep 600/);
    await waitForPool(host, ({ ready }) => ready === 1);
    const again = await host.wardian(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; exit 7']);
    assert.deepEqual([again.exitCode, again.stdout], [7, 'out\n']);
    await host.succeed(['rm', '-f', '-t', '0', id]);
    await host.succeed(['template', 'prune']); // members go with what they were made from
    assert.deepEqual(readdirSync(poolFolder(host)), []);
    assert.deepEqual(getPoolVmms(host), []);
  });

  it('is not counted among the containers, and waits without working', async () => {
    const host = getHost();
    await fill(host);
    assert.equal(JSON.parse(await host.succeed(['info', '--json'])).containers.running, 0);
    assert.equal((await host.succeed(['ps', '-aq'])).trim(), '');
    const [vmm = 0] = getPoolVmms(host);
    const before = readCpuTicks(vmm);
    await pause(1_000);
    assert.ok(readCpuTicks(vmm) - before <= 2);
  });

  it('is not used where a template is not wanted, or another size is', async () => {
    const host = getHost();
    await fill(host);
    for (const flags of [['--no-template'], ['--memory', '2g']]) {
      const { id, isFromPool } = await startSleeper(host, ...flags);
      assert.equal(isFromPool, false);
      await host.succeed(['rm', '-f', '-t', '0', id]);
    }
  });

  it('has the right image, and nothing of the one before', async () => {
    const host = getHost();
    const content = randomBytes(12 * 2 ** 20);
    const folder = await makeOddImage(host, content);
    await host.succeed(['load', '-i', folder, '--name', 'odd']);
    await fill(host);
    const script = 'sha256sum /data; /bin/sh -c "cat /etc/passwd"; ls /; ls /bin';
    const printed = await host.succeed(['run', '--rm', 'odd', 'sh', '-c', script]);
    const [sum, ...rest] = printed.split('\n');
    assert.equal(sum, `${createHash('sha256').update(content).digest('hex')}  /data`);
    assert.equal(rest[0], 'odd:x:0:0::/:/bin/sh');
    assert.deepEqual(rest.slice(-6, -1), ['cat', 'ls', 'sh', 'sha256sum', 'sleep']);
  });

  it('is replaced by a cold one when it was killed while it waited', async () => {
    const host = getHost();
    await fill(host);
    for (const pid of getPoolVmms(host)) process.kill(pid, 'SIGKILL');
    assert.equal(await host.succeed(['run', '--rm', 'busybox', 'echo', 'served']), 'served\n');
    await waitForPool(host, ({ ready }) => ready === 1);
    const log = readFileSync(path.join(host.runtimeDirectory, 'sandboxer.log'), 'utf8');
    assert.match(log, /a machine of the pool (ended while it waited|could not be used): /);
  });

  it('goes on when its sandboxer is killed, and those that waited end', async () => {
    const host = getHost();
    await fill(host);
    const { id, vmm, isFromPool } = await startSleeper(host);
    assert.ok(isFromPool);
    await waitForPool(host, ({ ready }) => ready === 1);
    process.kill(host.getSandboxerPid() ?? 0, 'SIGKILL');
    assert.equal(getPoolVmms(host).length, 2);
    assert.equal(await host.succeed(['exec', id, 'echo', 'adopted']), 'adopted\n');
    assert.deepEqual(getPoolVmms(host), [vmm]);
    await host.succeed(['rm', '-f', '-t', '0', id]);
    assert.deepEqual(readdirSync(poolFolder(host)), []);
  });
});

describe('a pool', () => {
  const getHost = withHost({ WARDIAN_POOL_SIZE: '2', WARDIAN_IDLE_TIMEOUT_MS: '6000' });

  it('that is asked for more than it has gives cold machines', { timeout: 300_000 }, async () => {
    const host = getHost();
    await fill(host, 2);
    const numbers = Array.from({ length: 20 }, (_, index) => String(index));
    const printed = await Promise.all(
      numbers.map((number) => host.succeed(['run', '--rm', 'busybox', 'echo', number])),
    );
    assert.deepEqual(
      printed,
      numbers.map((number) => `${number}\n`),
    );
    await waitForPool(host, ({ ready }) => ready === 2);
    assert.equal(getPoolVmms(host).length, 2);
  });

  it('ends when nobody needs it', async () => {
    const host = getHost();
    await fill(host, 2);
    const deadline = Date.now() + 60_000;
    while (host.getSandboxerPid() !== undefined && Date.now() < deadline) await pause(200);
    assert.equal(host.getSandboxerPid(), undefined);
    assert.deepEqual(getPoolVmms(host), []);
    assert.deepEqual(readdirSync(poolFolder(host)), []);
  });
});

describe('the pool of a user who is not root', () => {
  let user: UnprivilegedUser;
  before(() => {
    user = new UnprivilegedUser();
    Object.assign(user.host.environment, { WARDIAN_GUEST: 'distro', WARDIAN_POOL_SIZE: '1' });
  });
  after(() => user.close());

  it('serves its containers, too', async () => {
    const { host } = user;
    const { memoryBytes } = await fill(host);
    assert.ok(memoryBytes > 2 ** 20);
    const { id, isFromPool } = await startSleeper(host);
    assert.ok(isFromPool);
    assert.equal(await host.succeed(['exec', id, 'echo', 'served']), 'served\n');
    await host.succeed(['rm', '-f', '-t', '0', id]);
  });
});

describe('a pool without memory', () => {
  const getHost = withHost({ WARDIAN_POOL_MEMORY: '8m' });

  it('stays empty', async () => {
    const host = getHost();
    await host.succeed(['run', '--rm', 'busybox', 'true']);
    await pause(1_500);
    const { size, ready, making } = await getPool(host);
    assert.deepEqual({ size, ready, making }, { size: 1, ready: 0, making: false });
    assert.equal(existsSync(poolFolder(host)), false);
  });
});

describe('a broken configuration', () => {
  let host: TestHost;
  before(() => {
    host = new TestHost();
    host.environment['XDG_CONFIG_HOME'] = path.join(host.directory, 'config');
    mkdirSync(path.join(host.directory, 'config/wardian'), { recursive: true });
  });
  after(() => host.close());

  it('is a clear error of every command that needs the sandboxer, at once', async () => {
    const file = path.join(host.directory, 'config/wardian/config.toml');
    writeFileSync(file, '[pool]\nsise = 1\n');
    const startedAt = Date.now();
    const { exitCode, stderr } = await host.wardian(['run', '--rm', 'busybox', 'true']);
    assert.equal(exitCode, 125);
    assert.ok(stderr.includes(`${file}, line 2: there is no setting pool.sise`), stderr);
    assert.match(stderr, /hint: did you mean pool\.size\?/);
    assert.ok(Date.now() - startedAt < 15_000);
    writeFileSync(file, 'idle_timeout = "5s"\n');
    assert.equal(await host.succeed(['run', '--rm', 'busybox', 'echo', 'mended']), 'mended\n');
    const { configuration } = JSON.parse(await host.succeed(['info', '--json']));
    assert.deepEqual(configuration[0], {
      key: 'pool.size',
      value: '0',
      source: 'WARDIAN_POOL_SIZE',
    });
  });
});

/** An image with a few tools and a large file, unlike the built-in one in everything else. */
async function makeOddImage(host: TestHost, content: Buffer): Promise<string> {
  const { cache } = findDirectories(host.environment, process.getuid?.() ?? 0);
  const manifest = JSON.parse(readFileSync(path.join(cache, 'guest/manifest.json'), 'utf8'));
  const busybox = readFileSync(manifest.distro.busybox);
  const tools = ['cat', 'ls', 'sha256sum', 'sleep'];
  const tar = makeTar([
    { name: 'data', content },
    { name: 'etc/passwd', content: 'odd:x:0:0::/:/bin/sh\n' },
    { name: 'bin/sh', content: busybox, mode: 0o755 },
    ...tools.map((name) => ({ name: `bin/${name}`, type: '1', linkName: 'bin/sh' })),
  ]);
  const config = { Env: ['PATH=/bin'] };
  const files = makeLayout({ layers: [makeLayer(tar)], config });
  return await writeFolder(path.join(host.directory, 'odd'), files);
}

/** Processor time that a process has used, in ticks of 10 ms (proc(5)). */
function readCpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}
