import { closeSync, openSync, readSync } from 'node:fs';
import { WardianError } from '../util/errors.ts';

const ID_BYTES = 32;

/** An id for a container or another process in one: 64 hex digits. Loading node:crypto would cost 3 ms. */
export function createId(): string {
  const source = openSync('/dev/urandom', 'r');
  try {
    const bytes = Buffer.alloc(ID_BYTES);
    const read = readSync(source, bytes, 0, ID_BYTES, null);
    if (read !== ID_BYTES) throw new WardianError('INTERNAL', `/dev/urandom gave ${read} bytes`);
    return bytes.toString('hex');
  } finally {
    closeSync(source);
  }
}
