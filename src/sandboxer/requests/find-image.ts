import { importBuiltInImage } from '../../image/built-in-image.ts';
import type { ImageRecord } from '../../image/image-record.ts';
import type { ImageStore } from '../../image/image-store.ts';
import { WardianError } from '../../util/errors.ts';

/** The references that mean the image that comes with Wardian, when no other image has the name. */
const BUILT_IN_REFERENCES = [
  'busybox',
  'busybox:latest',
  'localhost/busybox',
  'localhost/busybox:latest',
];

/** Finds an image; the built-in one is made when it is asked for and not there. */
export async function findImage(
  images: ImageStore,
  reference: string,
  busyboxPath: string,
): Promise<ImageRecord> {
  try {
    return await images.find(reference);
  } catch (error) {
    const isMissing = error instanceof WardianError && error.code === 'IMAGE_NOT_FOUND';
    if (!isMissing || !BUILT_IN_REFERENCES.includes(reference)) throw error;
    return importBuiltInImage(images, busyboxPath);
  }
}
