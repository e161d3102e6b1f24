import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadGuestManifest } from '../../../scripts/setup/guest.ts';
import { findDirectories } from '../../../src/host/directories.ts';
import { makeTar, type TestEntry } from '../oci-layout.ts';

/** What the image is called in every engine. */
export const IMAGE = 'busybox';

const FOLDERS = [
  'bin',
  'dev',
  'etc',
  'home',
  'proc',
  'root',
  'run',
  'sys',
  'usr',
  'usr/local',
  'var',
  'var/tmp',
];
const FILES: Readonly<Record<string, string>> = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  'etc/group': 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\nnogroup:x:65534:\n',
};

/** Writes the archive of an image of the guest's static busybox, which podman and Docker both load as `busybox`. */
export function writeEngineImage(directory: string): string {
  const layer = makeTar(listEntries());
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: '2024-01-02T03:04:05Z',
    history: [{ created_by: 'test' }], // podman counts layers by it when it builds on them
    config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
    rootfs: {
      type: 'layers',
      diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`],
    },
  });
  const manifest = [
    { Config: 'config.json', RepoTags: [`${IMAGE}:latest`], Layers: ['layer.tar'] },
  ];
  const file = path.join(directory, 'busybox.tar');
  const archive = makeTar([
    { name: 'manifest.json', content: JSON.stringify(manifest) },
    { name: 'config.json', content: config },
    { name: 'layer.tar', content: layer },
  ]);
  writeFileSync(file, archive);
  return file;
}

/** The same files as a folder, for what takes a root file system as one. */
export function writeEngineRootfs(folder: string): void {
  mkdirSync(folder);
  const archive = makeTar(listEntries());
  execFileSync('tar', ['--extract', '--directory', folder], { input: archive });
}

/** The busybox of the guest: static, so that it runs on any root file system. */
export function findBusybox(): string {
  const { cache } = findDirectories(process.env, process.getuid?.() ?? -1);
  const busybox = loadGuestManifest(cache)?.distro.busybox;
  if (busybox === undefined) throw new Error('no guest is made yet: run ./wardian check first');
  return busybox;
}

function listEntries(): TestEntry[] {
  const busybox = findBusybox();
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  return [
    ...FOLDERS.map((name) => ({ name: `${name}/`, type: '5' })),
    { name: 'tmp/', type: '5', mode: 0o1777 },
    { name: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
    ...applets
      .filter((applet) => applet !== 'busybox')
      .map((applet) => ({ name: `bin/${applet}`, type: '2', linkName: 'busybox' })),
    ...Object.entries(FILES).map(([name, content]) => ({ name, content })),
  ];
}
