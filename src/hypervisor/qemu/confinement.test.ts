import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineConfig } from '../../machine/machine-config.ts';
import { type ConfinementOptions, DEFAULT_USER_RANGE, planConfinement } from './confinement.ts';
import { findHostSide } from './host-side.ts';
import { buildLauncherArguments, type Confinement } from './process.ts';

const config: MachineConfig = {
  cpus: 1,
  memoryBytes: 256 * 1024 * 1024,
  boot: { kernelPath: '/cache/k', initramfsPath: '/usr/share/i', acpi: true, parameters: [] },
  devices: [{ kind: 'share', tag: 'wardian', path: '/run/share' }],
};
const options: ConfinementOptions = {
  isRoot: true,
  userRange: DEFAULT_USER_RANGE,
  qemuPath: '/opt/qemu/bin/qemu',
  accelerator: 'tcg',
  boots: true,
  diskDirectories: ['/data/images'],
};

async function plan(changes: Partial<ConfinementOptions> = {}, id = 'a'): Promise<Confinement> {
  const confinement = await planConfinement(id, config, { ...options, ...changes });
  assert.ok(confinement !== undefined);
  return confinement;
}

function launch(confinement: Confinement | undefined): string[] {
  const argv = ['/opt/qemu/bin/qemu', '-version'];
  const hostSide = findHostSide(config);
  return buildLauncherArguments({
    launcherPath: '/l',
    directory: '/run/d',
    argv,
    hostSide,
    confinement,
  });
}

test('root gives each machine a user of its own, above all that others use', async () => {
  const [one, same, other] = [await plan(), await plan(), await plan({}, 'b')];
  assert.deepEqual(one, same);
  assert.notEqual(one.user?.uid, other.user?.uid);
  const { first, count } = DEFAULT_USER_RANGE;
  assert.ok(one.user !== undefined && one.user.uid >= first && one.user.uid < first + count);
  assert.equal(one.user.gid, one.user.uid);
});

test('everyone else’s machines stay theirs', async () => {
  const confinement = await plan({ isRoot: false });
  assert.equal(confinement.user, undefined);
  const argv = launch(confinement);
  assert.ok(argv.includes('--isolate'));
  assert.ok(!argv.includes('--user') && !argv.includes('--group'));
});

test('what a machine needs is visible, once, and nothing beside it', async () => {
  const { visiblePaths } = await plan();
  const system = ['/usr', '/lib', '/lib64', '/bin', '/etc/ld.so.cache'];
  const own = ['/opt/qemu/bin/qemu', '/cache/k', '/data/images'];
  assert.deepEqual(visiblePaths, [...system, ...own]);
});

test('a QEMU that was built is visible with its firmware, and nothing of the cache beside it', async () => {
  const qemuPath = '/cache/guest/build/qemu-1/qemu';
  const firmwareDirectory = '/opt/firmware';
  const { visiblePaths } = await plan({ qemuPath, firmwareDirectory });
  const ofCache = (paths: readonly string[]) => paths.filter((one) => one.startsWith('/cache'));
  assert.deepEqual(ofCache(visiblePaths), [qemuPath, '/cache/k']);
  assert.ok(visiblePaths.includes(firmwareDirectory));
  const clone = await plan({ qemuPath, boots: false });
  assert.deepEqual(ofCache(clone.visiblePaths), [qemuPath]);
  const shared = await plan({ qemuPath, firmwareDirectory: '/usr/share/qemu' });
  assert.ok(!shared.visiblePaths.includes('/usr/share/qemu')); // visible with /usr
});

test('without confinement the launcher is asked for none', () => {
  const argv = launch(undefined);
  assert.ok(!argv.some((word) => ['--isolate', '--user', '--visible'].includes(word)));
  assert.deepEqual(argv.slice(argv.indexOf('--')), ['--', '/opt/qemu/bin/qemu', '-version']);
});
