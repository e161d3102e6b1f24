import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { configureTextEncoding } from '@bufbuild/protobuf/wire';

/** Bytes that are not a protobuf message of the kind that was expected. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

// The library refuses a whole message for one byte that is not UTF-8, yet a guest may well speak of a file whose
// name is not: here that becomes U+FFFD. There is one such setting for the process.
configureTextEncoding({
  encodeUtf8: (text) => Buffer.from(text),
  decodeUtf8: (bytes) => viewBytes(bytes).toString(),
  checkUtf8: () => true,
});

/** Encodes a plain object; a number out of its field's range is our own mistake and throws. */
export function encodeMessage<Schema extends DescMessage>(
  schema: Schema,
  value: MessageInitShape<Schema>,
): Buffer {
  return viewBytes(toBinary(schema, create(schema, value)));
}

/**
 * Decodes hostile input: throws WireError unless it is such a message. Bytes fields are views of `bytes`.
 * Every two bytes may become an object, so whoever receives them bounds their length.
 */
export function decodeMessage<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
): MessageShape<Schema> {
  return readHostile(() => fromBinary(schema, bytes, { readUnknownFields: false }));
}

/** Runs a decoder of hostile input: whatever the library throws is the input's fault. */
export function readHostile<Result>(decode: () => Result): Result {
  try {
    return decode();
  } catch (error) {
    if (error instanceof WireError) throw error;
    throw new WireError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The same bytes as a Buffer, not copied. */
export function viewBytes(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
