import { createHash } from 'node:crypto';
import { parseImageDocument } from '../../oci/image-spec/image-config.ts';
import {
  type Descriptor,
  type ImageManifest,
  parseIndex,
  parseManifest,
} from '../../oci/image-spec/manifest.ts';
import { getBlobKind } from '../../oci/image-spec/media-types.ts';
import { invalidImage, unsupportedImage } from '../image-errors.ts';
import { nameFromAnnotation } from '../image-reference.ts';
import type { ImageLimits } from '../limits.ts';
import { type FileSource, openBlob, readBlob, readWhole } from './blob-source.ts';
import {
  checkLayerCount,
  checkPlatform,
  type ImageCandidate,
  type LayerSource,
  PLATFORM,
} from './image-candidate.ts';

/** An index may point to indexes; more than this many deep is nobody's intention. */
const MAX_INDEX_DEPTH = 4;

const REF_NAME = 'org.opencontainers.image.ref.name';
/** containerd and `docker save` put the whole name here and only the tag into the one above. */
const CONTAINERD_NAME = 'io.containerd.image.name';
const ATTESTATION = 'vnd.docker.reference.type';

export interface LayoutOptions {
  source: FileSource;
  limits: ImageLimits;
  /** Names images that carry only a tag. */
  baseName: string;
}

/** Finds the images of an OCI layout (image-layout.md); undefined when the source is none. */
export async function readOciLayout(options: LayoutOptions): Promise<ImageCandidate[] | undefined> {
  const { source, limits } = options;
  const data = await readWhole(source, 'index.json', limits.maxJsonBytes);
  if (data === undefined) return undefined;
  const usable = choosePlatform(parseIndex(data, 'index.json').manifests, 'index.json');
  const candidates = new Map<string, ImageCandidate>();
  for (const descriptor of usable) {
    const manifest = await resolveManifest(descriptor, options);
    const names = readNames(descriptor, options.baseName);
    const known = candidates.get(manifest.digest);
    if (known === undefined) {
      candidates.set(manifest.digest, await readCandidate(manifest, names, options));
    } else {
      candidates.set(manifest.digest, { ...known, names: [...known.names, ...names] });
    }
  }
  return [...candidates.values()];
}

/** Leaves out other platforms and what is no image at all (attestations, signatures); complains when nothing is left. */
function choosePlatform(manifests: readonly Descriptor[], where: string): Descriptor[] {
  const images = manifests.filter(isImage);
  const usable = images.filter(({ platform }) => {
    if (platform === undefined || platform.os === '') return true;
    return platform.os === PLATFORM.os && platform.architecture === PLATFORM.architecture;
  });
  if (usable.length > 0) return usable;
  const wanted = `${PLATFORM.os}/${PLATFORM.architecture}`;
  if (images.length === 0) {
    throw unsupportedImage(`${where} lists no image`, 'load an OCI image layout that has one');
  }
  const found = images.map(({ platform }) => `${platform?.os}/${platform?.architecture}`);
  throw unsupportedImage(
    `${where} has no image for ${wanted}, only for ${[...new Set(found)].slice(0, 20).join(', ')}`,
    `save the image with that platform, for example skopeo copy --override-arch ${PLATFORM.architecture}`,
  );
}

function isImage({ mediaType, annotations }: Descriptor): boolean {
  const kind = mediaType === '' ? 'manifest' : getBlobKind(mediaType);
  return (kind === 'index' || kind === 'manifest') && annotations[ATTESTATION] === undefined;
}

async function resolveManifest(start: Descriptor, options: LayoutOptions): Promise<Descriptor> {
  let descriptor = start;
  for (let depth = 0; depth < MAX_INDEX_DEPTH; depth++) {
    if (getBlobKind(descriptor.mediaType) !== 'index') return descriptor;
    const data = await readBlob(options.source, descriptor, options.limits.maxJsonBytes);
    const { manifests } = parseIndex(data, `the index ${descriptor.digest}`);
    // The order is the builder's preference, and a variant (v2, v3) asks for more than every machine has.
    const usable = choosePlatform(manifests, `the index ${descriptor.digest}`);
    descriptor = usable.find(hasNoVariant) ?? (usable[0] as Descriptor);
  }
  throw invalidImage(`the index ${start.digest} leads through more than ${MAX_INDEX_DEPTH} others`);
}

function hasNoVariant({ platform }: Descriptor): boolean {
  return platform === undefined || platform.variant === '';
}

async function readCandidate(
  descriptor: Descriptor,
  names: readonly string[],
  options: LayoutOptions,
): Promise<ImageCandidate> {
  const { source, limits } = options;
  const where = `the manifest ${descriptor.digest}`;
  const manifest = parseManifest(await readBlob(source, descriptor, limits.maxJsonBytes), where);
  if (getBlobKind(manifest.config.mediaType) !== 'config') {
    throw unsupportedImage(
      `${where} is not a container image but ${JSON.stringify(manifest.config.mediaType)}`,
      'load a container image; other artifacts cannot be run',
    );
  }
  const config = await readBlob(source, manifest.config, limits.maxJsonBytes);
  const document = parseImageDocument(config, `the configuration ${manifest.config.digest}`);
  checkPlatform(document, where);
  checkLayerCount(where, manifest.layers, { ...limits, diffIds: document.diffIds });
  const id = createHash('sha256').update(config).digest('hex');
  const layers = makeLayers(manifest, document.diffIds, source);
  return { id, digest: descriptor.digest, names, document, layers };
}

function makeLayers(
  manifest: ImageManifest,
  diffIds: readonly string[],
  source: FileSource,
): LayerSource[] {
  return manifest.layers.map((descriptor, index) => {
    const label = `layer ${index + 1} (${descriptor.digest.slice(0, 19)})`;
    checkLayerType(descriptor, label);
    return {
      label,
      diffId: diffIds[index] ?? '',
      sizeBytes: descriptor.sizeBytes,
      open: () => openBlob(source, descriptor),
    };
  });
}

function checkLayerType({ mediaType }: Descriptor, label: string): void {
  const kind = getBlobKind(mediaType);
  if (kind === 'layer') return;
  if (kind === 'foreign-layer') {
    throw unsupportedImage(
      `${label} is a foreign layer, which the image only refers to`,
      'save the image with all its layers, or use another base image',
    );
  }
  if (kind === 'encrypted-layer') {
    throw unsupportedImage(
      `${label} is encrypted`,
      'decrypt it first: skopeo copy --decryption-key',
    );
  }
  throw unsupportedImage(
    `${label} has the media type ${JSON.stringify(mediaType.slice(0, 100))}`,
    'save the image with tar layers, plain or compressed by gzip or zstd',
  );
}

function readNames({ annotations }: Descriptor, baseName: string): string[] {
  const name = annotations[CONTAINERD_NAME] ?? annotations[REF_NAME];
  const full = name === undefined ? undefined : nameFromAnnotation(name, baseName);
  return full === undefined ? [] : [full];
}
