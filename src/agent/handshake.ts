/** The markers that begin a session (docs/protocol.md, "Session"). */
import { FRAME_HEADER_BYTES, type Interlude } from '../util/ttrpc/frame.ts';

/** The version of the protocol that this host speaks. */
export const PROTOCOL_VERSION = 1;
export const NONCE_BYTES = 16;

const OFFER = Buffer.from('\0WARDIAN-OFFER\r\n', 'latin1');
const ACCEPT = Buffer.from('\0WARDIAN-ACCEPT\n', 'latin1');
const MARKER_BYTES = OFFER.length + 4 + NONCE_BYTES + 4;

export interface Offer {
  version: number;
  nonce: Buffer;
}

/** How a frame reader tells an offer within a session from a frame. */
export const OFFER_INTERLUDE: Interlude = {
  prefix: OFFER.subarray(0, FRAME_HEADER_BYTES),
  sizeBytes: MARKER_BYTES,
};

/** The marker with which the host begins a session; the offer that it answers looks the same but for its name. */
export function encodeAccept(nonce: Uint8Array): Buffer {
  return encodeMarker(ACCEPT, PROTOCOL_VERSION, nonce);
}

export function encodeOffer({ version, nonce }: Offer): Buffer {
  return encodeMarker(OFFER, version, nonce);
}

function encodeMarker(name: Buffer, version: number, nonce: Uint8Array): Buffer {
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`a nonce has ${NONCE_BYTES} bytes`);
  const marker = Buffer.alloc(MARKER_BYTES);
  name.copy(marker);
  marker.writeUInt32BE(version, name.length);
  marker.set(nonce, name.length + 4);
  return marker;
}

/** Reads what follows the interlude's prefix; undefined when it is no offer. */
export function parseOfferRest(rest: Uint8Array): Offer | undefined {
  const marker = Buffer.concat([OFFER_INTERLUDE.prefix, rest]);
  return marker.length === MARKER_BYTES ? parseMarker(OFFER, marker, 0) : undefined;
}

function parseMarker(name: Buffer, bytes: Buffer, position: number): Offer | undefined {
  const end = position + name.length;
  if (name.compare(bytes, position, end) !== 0) return undefined;
  if (bytes.readUInt32BE(end + 4 + NONCE_BYTES) !== 0) return undefined;
  const nonce = Buffer.from(bytes.subarray(end + 4, end + 4 + NONCE_BYTES));
  return { version: bytes.readUInt32BE(end), nonce };
}

/** Looks for a marker among bytes of any kind, and holds no more of them than a marker has. */
export class MarkerScanner {
  readonly #name: Buffer;
  #tail = Buffer.alloc(0);

  constructor(kind: 'offer' | 'accept') {
    this.#name = kind === 'offer' ? OFFER : ACCEPT;
  }

  /** Returns the first marker and what followed it in this chunk, or undefined: not yet. */
  push(chunk: Buffer): { marker: Offer; rest: Buffer } | undefined {
    const bytes = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]);
    let position = bytes.indexOf(this.#name);
    while (position >= 0 && position + MARKER_BYTES <= bytes.length) {
      const marker = parseMarker(this.#name, bytes, position);
      if (marker !== undefined) {
        this.#tail = Buffer.alloc(0);
        return { marker, rest: bytes.subarray(position + MARKER_BYTES) };
      }
      position = bytes.indexOf(this.#name, position + 1);
    }
    const kept = position >= 0 ? position : Math.max(0, bytes.length - this.#name.length + 1);
    this.#tail = Buffer.from(bytes.subarray(kept));
    return undefined;
  }
}
