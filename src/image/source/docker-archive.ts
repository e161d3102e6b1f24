import { createHash } from 'node:crypto';
import { type ImageDocument, parseImageDocument } from '../../oci/image-spec/image-config.ts';
import {
  asFields,
  type Fields,
  readString,
  readStrings,
} from '../../oci/image-spec/json-fields.ts';
import { invalidImage } from '../image-errors.ts';
import { nameFromDocker } from '../image-reference.ts';
import type { ImageLimits } from '../limits.ts';
import { type FileSource, readWhole } from './blob-source.ts';
import {
  checkLayerCount,
  checkPlatform,
  type ImageCandidate,
  type LayerSource,
} from './image-candidate.ts';

/** As `docker save` may be given many names at once. */
const MAX_IMAGES = 1000;

/**
 * Finds the images of an archive as `docker save` and `skopeo copy docker-archive:` make them: `manifest.json` lists
 * for each the configuration file, the layers and the names. Undefined when the source is none.
 */
export async function readDockerArchive(
  source: FileSource,
  limits: ImageLimits,
): Promise<ImageCandidate[] | undefined> {
  const data = await readWhole(source, 'manifest.json', limits.maxJsonBytes);
  if (data === undefined) return undefined;
  const images = parseImages(data);
  return Promise.all(images.map((image) => readCandidate(image, source, limits)));
}

function parseImages(data: Buffer): Fields[] {
  let images: unknown;
  try {
    images = JSON.parse(data.toString('utf8'));
  } catch (cause) {
    throw invalidImage('manifest.json is not JSON', { cause });
  }
  if (!Array.isArray(images) || images.length === 0 || images.length > MAX_IMAGES) {
    throw invalidImage(`manifest.json is not a list of 1 to ${MAX_IMAGES} images`);
  }
  return images.map((image, index) => asFields(image, `image ${index + 1} of manifest.json`));
}

async function readCandidate(
  image: Fields,
  source: FileSource,
  limits: ImageLimits,
): Promise<ImageCandidate> {
  const configName = readString(image, 'Config');
  const config = await readWhole(source, configName, limits.maxJsonBytes);
  if (config === undefined) {
    throw invalidImage(`the configuration ${JSON.stringify(configName)} is missing`);
  }
  const document = parseImageDocument(config, `the configuration ${JSON.stringify(configName)}`);
  checkPlatform(document, image.where);
  const layerNames = readStrings(image, 'Layers');
  checkLayerCount(image.where, layerNames, { ...limits, diffIds: document.diffIds });
  const id = createHash('sha256').update(config).digest('hex');
  const names = readStrings(image, 'RepoTags').map(nameFromDocker);
  const layers = await makeLayers(layerNames, document, source);
  return { id, digest: `sha256:${id}`, names, document, layers };
}

/** No digest of the layer files is stated here: what they hold is proven by the configuration's diff_ids. */
async function makeLayers(
  names: readonly string[],
  document: ImageDocument,
  source: FileSource,
): Promise<LayerSource[]> {
  const layers: LayerSource[] = [];
  for (const [index, name] of names.entries()) {
    const label = `layer ${index + 1} (${JSON.stringify(name.slice(0, 100))})`;
    const sizeBytes = await source.findSize(name);
    if (sizeBytes === undefined) throw invalidImage(`${label} is missing`);
    const open = async () => source.open(name) as AsyncIterable<Buffer>;
    layers.push({ label, diffId: document.diffIds[index] ?? '', sizeBytes, open });
  }
  return layers;
}
