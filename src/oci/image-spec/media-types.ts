/** What a blob is, by its media type: OCI image-spec, media-types.md, and Docker's image manifest version 2. */
export type BlobKind =
  | 'index'
  | 'manifest'
  | 'config'
  | 'layer'
  | 'foreign-layer'
  | 'encrypted-layer';

const OCI = 'application/vnd.oci.image.';
const DOCKER = 'application/vnd.docker.';

const KINDS: ReadonlyMap<string, BlobKind> = new Map<string, BlobKind>([
  [`${OCI}index.v1+json`, 'index'],
  [`${DOCKER}distribution.manifest.list.v2+json`, 'index'],
  [`${OCI}manifest.v1+json`, 'manifest'],
  [`${DOCKER}distribution.manifest.v2+json`, 'manifest'],
  [`${OCI}config.v1+json`, 'config'],
  [`${DOCKER}container.image.v1+json`, 'config'],
  ...['', '+gzip', '+zstd'].flatMap((compression): [string, BlobKind][] => [
    [`${OCI}layer.v1.tar${compression}`, 'layer'],
    [`${OCI}layer.nondistributable.v1.tar${compression}`, 'foreign-layer'],
  ]),
  ...['', '.gzip', '.zstd'].map((compression): [string, BlobKind] => [
    `${DOCKER}image.rootfs.diff.tar${compression}`,
    'layer',
  ]),
  [`${DOCKER}image.rootfs.foreign.diff.tar`, 'foreign-layer'],
  [`${DOCKER}image.rootfs.foreign.diff.tar.gzip`, 'foreign-layer'],
]);

/** Undefined for what is no part of a container image that we know. */
export function getBlobKind(mediaType: string): BlobKind | undefined {
  if (mediaType.startsWith(`${OCI}layer.`) && mediaType.endsWith('+encrypted')) {
    return 'encrypted-layer';
  }
  return KINDS.get(mediaType);
}
