import { WardianError } from '../../util/errors.ts';

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/** Keys that exist with Ctrl besides letters: `@ [ \ ] ^ _`. */
const CONTROL_SYMBOLS = '@[\\]^_';

/** Bytes of a sequence as podman writes it: `ctrl-p,ctrl-q`, `ctrl-],x`; an empty one switches detaching off. */
export function parseDetachKeys(text = DEFAULT_DETACH_KEYS): Buffer {
  if (text === '') return Buffer.alloc(0);
  return Buffer.from(text.split(',').map(parseKey));
}

function parseKey(key: string): number {
  const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
  if (control !== undefined && (/[a-z]/.test(control) || CONTROL_SYMBOLS.includes(control))) {
    return control.toUpperCase().charCodeAt(0) & 0x1f;
  }
  if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
  throw new WardianError('USAGE', `--detach-keys: ${JSON.stringify(key)} is not a key`, {
    hint: `write single characters or ctrl- and a letter, with commas: ${DEFAULT_DETACH_KEYS}`,
  });
}

/**
 * Looks for the sequence in what is typed. Keys that could begin it are held back until it is clear whether
 * they do; those that did not are passed on.
 */
export class DetachFilter {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** What goes on to the process, and whether the sequence is complete (what stands behind it is dropped). */
  filter(typed: Buffer): { bytes: Buffer; detached: boolean } {
    if (this.#keys.length === 0) return { bytes: typed, detached: false };
    if (this.#matched === 0 && !typed.includes(this.#keys[0] as number)) {
      return { bytes: typed, detached: false };
    }
    const passed: number[] = [];
    for (const byte of typed) {
      this.#take(byte, passed);
      if (this.#matched === this.#keys.length) {
        this.#matched = 0;
        return { bytes: Buffer.from(passed), detached: true };
      }
    }
    return { bytes: Buffer.from(passed), detached: false };
  }

  /** Advances by one byte; on a mismatch falls back to the longest beginning that still fits. */
  #take(byte: number, passed: number[]): void {
    const seen = [...this.#keys.subarray(0, this.#matched), byte];
    for (let length = seen.length; length > 0; length--) {
      const tail = seen.slice(seen.length - length);
      if (!tail.every((key, index) => key === this.#keys[index])) continue;
      passed.push(...seen.slice(0, seen.length - length));
      this.#matched = length;
      return;
    }
    passed.push(...seen);
    this.#matched = 0;
  }
}
