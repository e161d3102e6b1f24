import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Directories } from '../../src/host/directories.ts';
import { run } from '../support/run.ts';
import type { Step } from './build-steps.ts';
import {
  assembleGuest,
  guestDirectory,
  hasIngredients,
  isGuestCurrent,
  loadGuestManifest,
  manifestPath,
  prepareIngredients,
} from './guest.ts';

/** The steps whose results lie in the folders of the user (or, for root, of the system). */
export function hostSteps(root: string, directories: Directories): Step[] {
  const { cache, data } = directories;
  const agentPath = path.join(root, 'build/agent/agent');
  const manifest = () => readFileSync(manifestPath(cache), 'utf8');
  return [
    {
      title: 'kernel and busybox from Debian',
      isDone: () => hasIngredients(cache),
      run: async (report) => {
        openCache(cache);
        await prepareIngredients(cache, report);
      },
    },
    {
      title: 'initramfs',
      isDone: () => isGuestCurrent(cache, agentPath),
      run: async () => assembleGuest(cache, agentPath),
    },
    preparedStep(cache, {
      title: 'built-in image',
      result: path.join(data, 'images'),
      inputs: () => [data, loadGuestManifest(cache)?.distro.sha256.busybox ?? ''],
      prepare: () => loadBuiltInImage(directories),
    }),
    preparedStep(cache, {
      title: 'first template',
      result: path.join(cache, 'templates'),
      inputs: () => [manifest()],
      prepare: () =>
        run([process.execPath, path.join(root, 'dist/wardian.cjs'), 'template', 'create']),
    }),
  ];
}

interface Preparation {
  readonly title: string;
  /** What it makes: prepared again when this has gone. */
  readonly result: string;
  inputs(): readonly string[];
  prepare(): Promise<unknown>;
}

/** A step that is done once for the same inputs; a note in the cache says so. */
function preparedStep(cache: string, { title, result, inputs, prepare }: Preparation): Step {
  const note = path.join(guestDirectory(cache), `${title.replaceAll(' ', '-')}.key`);
  const key = () => createHash('sha256').update(JSON.stringify(inputs())).digest('hex');
  return {
    title,
    isDone: () => existsSync(result) && existsSync(note) && readFileSync(note, 'utf8') === key(),
    run: async () => {
      await prepare();
      writeFileSync(note, key());
    },
  };
}

/** Makes the cache so that every virtual machine, each a user of its own, can read kernel and initramfs. */
function openCache(cache: string): void {
  for (const directory of [cache, guestDirectory(cache)]) {
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
  }
}

/** Makes the image that needs no registry, unless it is there. */
export async function loadBuiltInImage(directories: Directories): Promise<void> {
  const busybox = loadGuestManifest(directories.cache)?.distro.busybox;
  if (busybox === undefined) throw new Error('the guest manifest is missing');
  const { ImageStore } = await import('../../src/image/image-store.ts');
  const { importBuiltInImage } = await import('../../src/image/built-in-image.ts');
  await importBuiltInImage(new ImageStore(directories.data), busybox);
}
