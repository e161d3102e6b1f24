import { WardianError } from '../../util/errors.ts';
import {
  type Fields,
  parseJsonFields,
  readFields,
  readKeys,
  readString,
  readStringMap,
  readStrings,
} from './json-fields.ts';
import { parseDigest } from './manifest.ts';

/** How a container of the image is run when nobody says otherwise (OCI image-spec, config.md). */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  /** Empty: the root. */
  readonly workingDirectory: string;
  /** `user[:group]`, names or numbers; empty: root. */
  readonly user: string;
  /** A name or number; empty: SIGTERM. */
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  /** `80/tcp` each. */
  readonly exposedPorts: readonly string[];
}

/** An image's configuration document. */
export interface ImageDocument {
  readonly os: string;
  readonly architecture: string;
  /** Absent or not a date: 0. */
  readonly createdAtMs: number;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
}

export function parseImageDocument(data: Uint8Array, where: string): ImageDocument {
  const fields = parseJsonFields(data, where);
  return {
    os: readString(fields, 'os'),
    architecture: readString(fields, 'architecture'),
    createdAtMs: parseDate(readString(fields, 'created')),
    diffIds: readDiffIds(fields),
    config: readImageConfig(readFields(fields, 'config')),
  };
}

function readImageConfig(fields: Fields): ImageConfig {
  return {
    entrypoint: readStrings(fields, 'Entrypoint'),
    cmd: readStrings(fields, 'Cmd'),
    env: readStrings(fields, 'Env'),
    workingDirectory: readString(fields, 'WorkingDir'),
    user: readString(fields, 'User'),
    stopSignal: readString(fields, 'StopSignal'),
    labels: readStringMap(fields, 'Labels'),
    volumes: readKeys(fields, 'Volumes'),
    exposedPorts: readKeys(fields, 'ExposedPorts'),
  };
}

function readDiffIds(fields: Fields): string[] {
  const diffIds = readStrings(readFields(fields, 'rootfs'), 'diff_ids');
  const malformed = diffIds.find((digest) => parseDigest(digest) === undefined);
  if (malformed === undefined) return diffIds;
  const shown = JSON.stringify(malformed.slice(0, 150));
  throw new WardianError('IMAGE_INVALID', `${fields.where} has the malformed diff_id ${shown}`, {
    hint: 'make or fetch the image again',
  });
}

function parseDate(text: string): number {
  const time = Date.parse(text);
  return Number.isNaN(time) ? 0 : time;
}
