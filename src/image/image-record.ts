import type { ImageConfig } from '../oci/image-spec/image-config.ts';
import { WardianError } from '../util/errors.ts';

/** An image in the store, ready to be a root file system. */
export interface ImageRecord {
  /** sha256 of the configuration document, 64 hex digits. */
  readonly id: string;
  /** Full names with tag (`localhost/busybox:latest`); empty for an image whose names have moved on. */
  readonly names: readonly string[];
  /** Of the manifest it was loaded from (`sha256:…`). */
  readonly digest: string;
  readonly createdAtMs: number;
  readonly loadedAtMs: number;
  /** Of the file system image. */
  readonly sizeBytes: number;
  readonly erofsPath: string;
  readonly config: ImageConfig;
  /** Contents of the image's /etc/passwd and /etc/group; empty when it has none. */
  readonly passwd: string;
  readonly group: string;
}

export const RECORD_VERSION = 1;

/** What is on disk of a record: all that never changes. Names are in the index. */
export type StoredRecord = Omit<ImageRecord, 'names' | 'erofsPath'> & {
  readonly version: typeof RECORD_VERSION;
  /** sha256 of the file system image, which is its name. */
  readonly blob: string;
};

export const DIGEST_HEX = /^[0-9a-f]{64}$/;

/** A record with both account files at their largest, each byte escaped, fits. */
export const MAX_RECORD_BYTES = 32 * 2 ** 20;

export function formatRecord(record: StoredRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** Checks what a record on disk must be before anything trusts it; STATE_CORRUPT otherwise. */
export function parseRecord(value: unknown, expectedId: string): StoredRecord {
  const record = (value ?? {}) as Partial<StoredRecord>;
  const strings = [record.digest, record.passwd, record.group];
  const numbers = [record.createdAtMs, record.loadedAtMs, record.sizeBytes];
  const isWhole =
    record.version === RECORD_VERSION &&
    record.id === expectedId &&
    DIGEST_HEX.test(record.blob ?? '') &&
    strings.every((field) => typeof field === 'string') &&
    numbers.every((field) => Number.isFinite(field)) &&
    isConfig(record.config);
  if (isWhole) return record as StoredRecord;
  throw damagedImage(expectedId, 'its record is damaged or of another version');
}

/** The image is listed, but cannot be used; the same two ways out always help. */
export function damagedImage(id: string, why: string, cause?: unknown): WardianError {
  const short = id.slice(0, 12);
  return new WardianError('STATE_CORRUPT', `the image ${short} is damaged: ${why}`, {
    cause,
    hint: `load it again, or remove it: wardian rmi --force ${short}`,
  });
}

function isConfig(config: ImageConfig | undefined): boolean {
  if (typeof config !== 'object' || config === null) return false;
  const lists = [config.entrypoint, config.cmd, config.env, config.volumes, config.exposedPorts];
  const texts = [config.workingDirectory, config.user, config.stopSignal];
  return (
    lists.every((list) => Array.isArray(list) && list.every((item) => typeof item === 'string')) &&
    texts.every((text) => typeof text === 'string') &&
    typeof config.labels === 'object'
  );
}
