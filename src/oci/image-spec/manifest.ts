import { WardianError } from '../../util/errors.ts';
import {
  asFields,
  type Fields,
  parseJsonFields,
  readFields,
  readList,
  readSize,
  readString,
  readStringMap,
} from './json-fields.ts';

/** Points to a blob (OCI image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:<hex>` or `sha512:<hex>`, checked for its form: it may become a path. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform: Platform | undefined;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

export interface ImageIndex {
  readonly manifests: readonly Descriptor[];
}

export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** More platforms or images than this no index has. */
const MAX_DESCRIPTORS = 4096;

export function parseIndex(data: Uint8Array, where: string): ImageIndex {
  const fields = parseJsonFields(data, where);
  checkSchemaVersion(fields);
  return { manifests: readDescriptors(fields, 'manifests') };
}

export function parseManifest(data: Uint8Array, where: string): ImageManifest {
  const fields = parseJsonFields(data, where);
  checkSchemaVersion(fields);
  return {
    config: parseDescriptor(readFields(fields, 'config')),
    layers: readDescriptors(fields, 'layers'),
  };
}

/** Takes a digest apart; undefined when it is malformed or of an algorithm that the specification does not register. */
export function parseDigest(digest: string): { algorithm: string; hex: string } | undefined {
  const match = /^(?:(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128}))$/.exec(digest);
  if (match === null) return undefined;
  return { algorithm: match[1] ?? match[3] ?? '', hex: match[2] ?? match[4] ?? '' };
}

function readDescriptors(fields: Fields, name: string): Descriptor[] {
  const list = readList(fields, name);
  if (list.length > MAX_DESCRIPTORS) {
    throw new WardianError('IMAGE_INVALID', `${fields.where} has ${list.length} ${name}`, {
      hint: `an image may have at most ${MAX_DESCRIPTORS}`,
    });
  }
  return list.map((item, index) =>
    parseDescriptor(asFields(item, `${name}[${index}] in ${fields.where}`)),
  );
}

function parseDescriptor(fields: Fields): Descriptor {
  const digest = readString(fields, 'digest');
  if (parseDigest(digest) === undefined) {
    const shown = JSON.stringify(digest.slice(0, 150));
    throw new WardianError('IMAGE_INVALID', `${fields.where} has the malformed digest ${shown}`, {
      hint: 'digests are sha256 or sha512, in lower-case hex; make or fetch the image again',
    });
  }
  return {
    mediaType: readString(fields, 'mediaType'),
    digest,
    sizeBytes: readSize(fields, 'size'),
    annotations: readStringMap(fields, 'annotations'),
    platform: fields.values['platform'] == null ? undefined : parsePlatform(fields),
  };
}

function parsePlatform(fields: Fields): Platform {
  const platform = readFields(fields, 'platform');
  return {
    os: readString(platform, 'os'),
    architecture: readString(platform, 'architecture'),
    variant: readString(platform, 'variant'),
  };
}

function checkSchemaVersion(fields: Fields): void {
  if (fields.values['schemaVersion'] === 2) return;
  throw new WardianError('IMAGE_UNSUPPORTED', `${fields.where} is not of schema version 2`, {
    hint: 'save the image again with a current tool, such as skopeo copy --format oci',
  });
}
