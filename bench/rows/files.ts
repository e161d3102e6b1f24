import { cp } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from '../../src/util/cleanup.ts';
import { buildBundleConfig, writeBundle } from '../peers/bundle.ts';
import { OURS } from '../table.ts';
import { stopSandboxer } from '../wardian.ts';
import { type Bench, nextPeerId, type Row } from './row.ts';

const RUNTIME = fileURLToPath(new URL('../../wardian-runtime', import.meta.url));
const MANY = 1000;

/** Nothing but a start: what the other rows contain beside their work. */
export const filesNone: Row = describeRow({
  name: 'files-none',
  title: 'a container on a writable folder: start and end',
  script: ':',
});

export const filesWrite: Row = describeRow({
  name: 'files-write',
  title: 'the same, which writes 128 MiB to a file, 64 KiB at a time',
  script: 'dd if=/dev/zero of=/written bs=64k count=2048 2>/dev/null && rm /written',
});

export const filesRead: Row = describeRow({
  name: 'files-read',
  title: 'the same, which reads 16 MiB of a file, 4 KiB at a time',
  script: `${repeat(16, 'dd if=/bin/busybox of=/dev/null bs=4k count=256 2>/dev/null')}`,
});

export const filesMany: Row = describeRow({
  name: 'files-many',
  title: `the same, which makes ${MANY} files, lists them, looks at each, and removes them`,
  script: `mkdir /many && ${repeat(MANY, 'echo text > /many/$i')} && find /many -size +100 && rm -r /many`,
});

function repeat(count: number, command: string): string {
  return `i=0; while [ $i -lt ${count} ]; do ${command}; i=$((i+1)); done`;
}

interface FilesRow {
  readonly name: string;
  readonly title: string;
  /** For the container's shell. */
  readonly script: string;
}

/** On a folder of the host as the root file system, ours and crun's alike. */
function describeRow({ name, title, script }: FilesRow): Row {
  const prepare = async (bench: Bench, cleanup: Cleanup) => {
    const commands = bench.createCommands(name);
    cleanup.defer('sandboxer', () => stopSandboxer(commands));
    const runner = bench.createRunner(commands);
    const contestants = [
      { title: OURS, program: RUNTIME, runner, place: `${name}-1` },
      { title: 'crun: run', program: 'crun', runner: bench.runner, place: `${name}-2` },
    ];
    return await Promise.all(
      contestants.map(async ({ title: contestant, program, runner: own, place }) => {
        const bundle = await writeFilesBundle(bench, place, script);
        const measure = async () => {
          const value = await own.time([program, 'run', '--bundle', bundle, nextPeerId()]);
          return { value };
        };
        return { name: contestant, measure };
      }),
    );
  };
  return { name, title, unit: 'ms', prepare };
}

async function writeFilesBundle(
  { directory }: Bench,
  place: string,
  script: string,
): Promise<string> {
  const bundle = path.join(directory, place);
  const rootfs = path.join(bundle, 'rootfs');
  await cp(path.join(directory, 'peers/rootfs'), rootfs, {
    recursive: true,
    verbatimSymlinks: true,
  });
  const args = ['sh', '-c', script];
  const config = buildBundleConfig({ rootfs, args, cgroupsPath: `/${place}` });
  await writeBundle(bundle, { ...config, root: { path: rootfs, readonly: false } });
  return bundle;
}
