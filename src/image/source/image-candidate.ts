import type { ImageDocument } from '../../oci/image-spec/image-config.ts';
import { invalidImage, unsupportedImage } from '../image-errors.ts';

/** An image found in a source, with its documents read and its layers still to be read. */
export interface ImageCandidate {
  /** sha256 of the configuration document, in hex. */
  readonly id: string;
  /** Of the manifest; of the configuration where the source has no manifests. */
  readonly digest: string;
  /** Full names with tag, as the source states them. */
  readonly names: readonly string[];
  readonly document: ImageDocument;
  readonly layers: readonly LayerSource[];
}

/** One layer, lowest first in its image. */
export interface LayerSource {
  /** Names it in errors. */
  readonly label: string;
  /** Digest of the uncompressed archive, by which the configuration names it. */
  readonly diffId: string;
  /** Bytes to read, compressed as they are. */
  readonly sizeBytes: number;
  open(): Promise<AsyncIterable<Buffer>>;
}

/** What the guest is: our machines have no other architecture. */
export const PLATFORM = { os: 'linux', architecture: 'amd64' } as const;

/** Some builders leave the platform out; those that state another one mean it. */
export function checkPlatform(document: ImageDocument, where: string): void {
  const { os, architecture } = document;
  const fits = (value: string, expected: string) => value === '' || value === expected;
  if (fits(os, PLATFORM.os) && fits(architecture, PLATFORM.architecture)) return;
  throw unsupportedImage(
    `${where} is for ${os}/${architecture}`,
    `get the image for ${PLATFORM.os}/${PLATFORM.architecture}`,
  );
}

/** @param where the image in errors: "the image box:latest" */
export function checkLayerCount(
  where: string,
  layers: readonly unknown[],
  { diffIds, maxLayers }: { diffIds: readonly string[]; maxLayers: number },
): void {
  if (layers.length > maxLayers) {
    throw invalidImage(`${where} has ${layers.length} layers, more than ${maxLayers}`);
  }
  if (layers.length !== diffIds.length) {
    throw invalidImage(
      `${where} has ${layers.length} layers, but its configuration lists ${diffIds.length}`,
    );
  }
}
