import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { captureCommand } from '../../src/host/spawn.ts';
import { findProgram } from '../find-program.ts';
import type { PeerImage } from './peer.ts';

const APPLETS = ['sh', 'true', 'sleep'];
const UMOCI_TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 4096;

/** Makes a root filesystem of the same static busybox that our built-in image has. */
export async function makePeerImage(directory: string, busyboxPath: string): Promise<PeerImage> {
  const rootfs = path.join(directory, 'rootfs');
  for (const folder of ['bin', 'etc', 'proc', 'dev', 'sys', 'tmp']) {
    await mkdir(path.join(rootfs, folder), { recursive: true });
  }
  await copyFile(busyboxPath, path.join(rootfs, 'bin/busybox'));
  for (const applet of APPLETS) await symlink('busybox', path.join(rootfs, 'bin', applet));
  await writeFile(path.join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  await writeFile(path.join(rootfs, 'etc/group'), 'root:x:0:\n');
  const layout = findProgram('umoci') ? await makeLayout(directory, rootfs) : undefined;
  return { rootfs, layout };
}

async function makeLayout(directory: string, rootfs: string): Promise<string> {
  const layout = path.join(directory, 'layout');
  const image = `${layout}:latest`;
  const umoci = (...argv: string[]) =>
    captureCommand('umoci', argv, {
      timeoutMs: UMOCI_TIMEOUT_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
    });
  await umoci('init', '--layout', layout);
  await umoci('new', '--image', image);
  await umoci('insert', '--image', image, rootfs, '/');
  await umoci('config', '--image', image, '--config.cmd', '/bin/sh', '--config.env', 'PATH=/bin');
  return layout;
}

export function requireLayout({ layout }: PeerImage): string {
  if (layout === undefined) throw new Error('there is no OCI layout without umoci');
  return layout;
}
