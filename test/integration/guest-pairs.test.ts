import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { findDirectories } from '../../src/host/directories.ts';
import { type Guests, loadGuests } from '../../src/template/guest.ts';
import { TestHost } from '../support/test-host.ts';

const { cache: builtCache } = findDirectories(process.env, process.getuid?.() ?? 0);
const builtManifest = path.join(builtCache, 'guest/manifest.json');

let guests: Guests;
let host: TestHost;

before(async () => {
  guests = await loadGuests(builtCache);
  assert.ok(guests.mini.tcg && guests.qemu, 'first run: wardian guest build');
  host = new TestHost({ WARDIAN_ACCEL: 'tcg', WARDIAN_GUEST: '' });
});
after(() => host.close());

const PROGRAM = { distro: /^distro: QEMU emulator/, small: /^small: QEMU emulator/ } as const;

/** A field of `inspect`. */
async function inspect(on: TestHost, container: string, field: string): Promise<string> {
  return (await on.succeed(['inspect', '-f', `{{${field}}}`, container])).trim();
}

test('a container runs on the kernel and in the QEMU that are asked for', async () => {
  const { tcg } = guests.mini;
  const wanted = [
    { flags: [], release: tcg?.kernelRelease, kind: 'mini', vmm: PROGRAM.small },
    { flags: ['--guest', 'mini'], release: tcg?.kernelRelease, kind: 'mini', vmm: PROGRAM.small },
    {
      flags: ['--guest=distro'],
      release: guests.distro.kernelRelease,
      kind: 'distro',
      vmm: PROGRAM.distro,
    },
    {
      flags: ['--guest=mini', '--no-template'],
      release: tcg?.kernelRelease,
      kind: 'mini',
      vmm: PROGRAM.small,
    },
  ];
  for (const { flags, release, kind, vmm } of wanted) {
    const id = (await host.succeed(['run', '-d', ...flags, 'busybox', 'sleep', '600'])).trim();
    assert.equal((await host.succeed(['exec', id, 'uname', '-r'])).trim(), release);
    assert.equal(await inspect(host, id, '.Sandbox.Guest'), kind);
    assert.equal(await inspect(host, id, '.Sandbox.Kernel'), release);
    assert.match(await inspect(host, id, '.Sandbox.Vmm'), vmm);
    await host.succeed(['rm', '-f', '-t', '0', id]);
  }
});

test('a kernel that nobody makes is refused', async () => {
  const flag = await host.wardian(['run', '--guest', 'maxi', 'busybox', 'true']);
  assert.equal(flag.exitCode, 125);
  assert.match(flag.stderr, /--guest.*maxi[\s\S]*distro, mini/);
  const other = new TestHost({ WARDIAN_GUEST: 'maxi' });
  const variable = await other.wardian(['run', 'busybox', 'true']);
  assert.equal(variable.exitCode, 125);
  assert.match(variable.stderr, /WARDIAN_GUEST is "maxi"\n +hint: give "auto", "distro" or "mini"/);
  await other.close();
});

test('a VMM sees of the cache its own program, and nothing else of the guest', {
  skip: skipUnlessRoot(),
}, async () => {
  const id = (await host.succeed(['run', '-d', '--guest=mini', 'busybox', 'sleep', '600'])).trim();
  const root = `/proc/${await inspect(host, id, '.State.Pid')}/root`;
  // The image of the throw-away container lies there, too: a stem reads it, and its forks see what it sees.
  const files = listFiles(`${root}${builtCache}`).filter((file) => !file.includes('/warm-up/'));
  assert.deepEqual(files, [`${root}${guests.qemu?.path}`]);
  await host.succeed(['rm', '-f', '-t', '0', id]);
});

function skipUnlessRoot(): string | false {
  return process.getuid?.() === 0 ? false : 'only root can look into the root folder of a VMM';
}

/** Empty when there is no such folder. */
function listFiles(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => path.join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

test('what is built while a sandboxer runs is used from the next start on, and all is adopted', async () => {
  const own = new TestHost({ WARDIAN_ACCEL: 'tcg', WARDIAN_GUEST: '' });
  own.environment['WARDIAN_CACHE_DIR'] = makeCache(own, false);
  const refused = await own.wardian(['run', '--guest', 'mini', 'busybox', 'true']);
  assert.equal(refused.exitCode, 125);
  assert.match(refused.stderr, /kernel for tcg is not built\n +hint: wardian guest build kernel;/);
  const before = (await own.succeed(['run', '-d', 'busybox', 'sleep', '600'])).trim();
  assert.match(await own.succeed(['info']), /^kernel: +distro, .*not built: wardian guest build/m);
  const sandboxer = own.getSandboxerPid();

  makeCache(own, true);
  const afterwards = (await own.succeed(['run', '-d', 'busybox', 'sleep', '600'])).trim();
  assert.equal(own.getSandboxerPid(), sandboxer);
  assert.match(await own.succeed(['info']), /^kernel: +mini, .*\(built for tcg\)\nqemu: +small, /m);
  assert.doesNotMatch(await own.succeed(['template', 'ls']), /outdated/);

  assert.ok(sandboxer !== undefined);
  process.kill(sandboxer, 'SIGKILL');
  for (const [id, release] of [
    [before, guests.distro.kernelRelease],
    [afterwards, guests.mini.tcg?.kernelRelease],
  ] as const) {
    assert.equal((await own.succeed(['exec', id, 'uname', '-r'])).trim(), release);
  }
  await own.close();
});

/** A cache with templates of its own, whose manifest does or does not tell of what was built. */
function makeCache(own: TestHost, isBuilt: boolean): string {
  const cache = path.join(own.directory, 'cache');
  mkdirSync(path.join(cache, 'guest'), { recursive: true });
  const { mini, qemu, ...rest } = JSON.parse(readFileSync(builtManifest, 'utf8'));
  const file = path.join(cache, 'guest/manifest.json');
  writeFileSync(`${file}.new`, JSON.stringify(isBuilt ? { ...rest, mini, qemu } : rest));
  renameSync(`${file}.new`, file);
  return cache;
}
