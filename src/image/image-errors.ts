import { WardianError } from '../util/errors.ts';

const DAMAGED_HINT =
  'the file is damaged or was not made by a builder that keeps to the OCI image format; make or fetch it again';

/** The image breaks a rule of its format. `cause` is kept; the hint tells the reader to get a better copy. */
export function invalidImage(
  message: string,
  options: { cause?: unknown; hint?: string } = {},
): WardianError {
  return new WardianError('IMAGE_INVALID', message, { hint: DAMAGED_HINT, ...options });
}

/** The image is in order, but needs what Wardian does not do. */
export function unsupportedImage(message: string, hint: string): WardianError {
  return new WardianError('IMAGE_UNSUPPORTED', message, { hint });
}

/** To be called wherever a long loop goes round. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new WardianError('CANCELLED', 'loading was cancelled');
}

const MAX_SHOWN_NAME = 200;

/** A name from an archive (one character per byte), fit for a terminal: no control characters, not endless. */
export function showName(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  const shown = text.length > MAX_SHOWN_NAME ? `${text.slice(0, MAX_SHOWN_NAME)}…` : text;
  return JSON.stringify(shown);
}
