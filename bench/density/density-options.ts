export interface DensityOptions {
  /** Numbers of containers, growing. */
  readonly counts: readonly number[];
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}
