const GIB = 2 ** 30;

/** How much an image may ask of us before we call it hostile. */
export interface ImageLimits {
  /** Decompressed bytes of one image, all layers together; also of a compressed archive. */
  readonly maxExpandedBytes: number;
  /** Decompressed bytes for each compressed one, looked at only beyond `ratioFreeBytes`: small zeros compress well. */
  readonly maxExpansionRatio: number;
  readonly ratioFreeBytes: number;
  /** Entries of all layers together; each costs some hundred bytes of memory. */
  readonly maxEntries: number;
  readonly maxLayers: number;
  /** Bytes of a path, as PATH_MAX. */
  readonly maxPathBytes: number;
  readonly maxDepth: number;
  /** Bytes of an index, a manifest or a configuration. */
  readonly maxJsonBytes: number;
  /** Bytes of /etc/passwd and of /etc/group. */
  readonly maxAccountsBytes: number;
}

export const DEFAULT_LIMITS: ImageLimits = {
  maxExpandedBytes: 64 * GIB,
  maxExpansionRatio: 500,
  ratioFreeBytes: GIB,
  maxEntries: 4_000_000,
  maxLayers: 512,
  maxPathBytes: 4096,
  maxDepth: 1024,
  maxJsonBytes: 4 * 2 ** 20,
  maxAccountsBytes: 2 ** 20,
};
