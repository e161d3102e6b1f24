import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import {
  makeLayer,
  makeLayout,
  makeTar,
  type TestImage,
  writeFolder,
} from '../../../test/support/oci-layout.ts';
import { ImageStore } from '../image-store.ts';

/** A folder in which a test file makes images and stores; gone when its tests are done. */
export async function openImageWorkshop() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardian-images-'));
  after(() => rm(folder, { recursive: true }));
  let serial = 0;
  const newPath = (name: string): string => path.join(folder, `${++serial}`, name);
  return {
    newPath,

    async newStore(): Promise<{ store: ImageStore; data: string }> {
      const data = newPath('data');
      await mkdir(data, { recursive: true });
      return { store: new ImageStore(data), data };
    },

    writeLayout: (image: TestImage): Promise<string> =>
      writeFolder(newPath('box'), makeLayout(image)),
  };
}

/** An image with one file whose content tells it from others. */
export function newImage(content: string, refName?: string): TestImage {
  return {
    layers: [makeLayer(makeTar([{ name: 'file', content }]))],
    ...(refName === undefined ? {} : { refName }),
  };
}
