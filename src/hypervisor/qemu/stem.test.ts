import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { MachineConfig } from '../../machine/machine-config.ts';
import { buildQemuArguments } from './arguments.ts';
import { findHostSide } from './host-side.ts';
import { buildLauncherArguments } from './process.ts';
import { findReplaced } from './replaced.ts';
import { buildForkArguments, forkQemu } from './stem.ts';

const replaced = { imagePath: '/images/i' };
const config: MachineConfig = {
  cpus: 1,
  memoryBytes: 256 * 1024 * 1024,
  boot: { kernelPath: '/k', initramfsPath: '/i', acpi: false, parameters: [] },
  devices: [
    { kind: 'agent-port' },
    { kind: 'root-disk', path: replaced.imagePath },
    { kind: 'share', tag: 'wardian', path: '/run/m/share' },
  ],
};
const fork = {
  launcherPath: '/l',
  directory: '/run/m',
  stemDirectory: '/run/pool/s',
  replaced,
  hostSide: findHostSide(config),
  confinement: undefined,
};

test('a stem is a clone that listens for requests', () => {
  const common = {
    directory: '/d',
    qemuPath: '/q',
    accelerator: 'tcg',
    config,
    tscKhz: 2_600_000,
  } as const;
  const clone = buildQemuArguments({ ...common, start: { kind: 'clone' } });
  const stem = buildQemuArguments({ ...common, start: { kind: 'stem' } });
  assert.ok(clone.includes('-incoming'));
  const own = stem.filter((word) => !clone.includes(word) && !word.startsWith('local,'));
  assert.deepEqual(own, ['-stem', '12']);
});

test('the launcher listens for a stem, and leaves open what its forks replace', () => {
  const hostSide = findHostSide(config);
  const start = { launcherPath: '/l', directory: '/run/pool/s', argv: ['/q'], replaced, hostSide };
  const argv = buildLauncherArguments({ ...start, confinement: undefined });
  assert.ok(argv.includes('12=/run/pool/s/stem.sock'));
  assert.ok(argv.includes('--stem'));
  const kept = argv.flatMap((word, index) => (word === '--keep' ? [argv[index + 1]] : []));
  assert.deepEqual(kept, ['4', '8', '9']);
});

test('a fork has its sockets at the numbers of its stem, a user of its own, and shows its folder', () => {
  const user = { uid: 70, gid: 71 };
  const argv = buildForkArguments({ ...fork, confinement: { user, visiblePaths: ['/usr'] } });
  assert.deepEqual(argv, [
    'fork',
    ...['--control', '/run/pool/s/stem.sock', '--title', '/run/m/'],
    ...['--socket', '10=/run/m/qmp.sock', '--socket', '11=/run/m/agent.sock'],
    ...['--keep', '8', '--keep', '9', '--share', '7=/run/m/share'],
    ...['--isolate', '--user', '70', '--group', '71'],
  ]);
});

test('a fork is confined where its stem is', () => {
  assert.ok(!buildForkArguments(fork).includes('--isolate'));
  const confinement = { visiblePaths: [] };
  assert.ok(buildForkArguments({ ...fork, confinement }).includes('--isolate'));
});

test('the image is found in a configuration, which must have a share as well', () => {
  assert.deepEqual(findReplaced(config), replaced);
  const devices = [{ kind: 'root-disk' as const, path: undefined }];
  assert.throws(() => findReplaced({ ...config, devices }), { code: 'INTERNAL' });
});

test('an image that is gone fails a fork before the stem is asked', async (context) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'wardian-stem-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const missing = { imagePath: path.join(directory, 'none') };
  await assert.rejects(forkQemu({ ...fork, directory, replaced: missing }), { code: 'ENOENT' });
});
