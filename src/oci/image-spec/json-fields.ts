import { WardianError } from '../../util/errors.ts';

/** A JSON object of unknown content; `where` names it in errors. */
export interface Fields {
  readonly where: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Parses a document of an image, which must be an object. */
export function parseJsonFields(data: Uint8Array, where: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data).toString('utf8'));
  } catch (cause) {
    throw new WardianError('IMAGE_INVALID', `${where} is not JSON`, { cause, hint: HINT });
  }
  return asFields(value, where);
}

export function asFields(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(where, 'an object');
  }
  return { where, values: value as Record<string, unknown> };
}

/** Go writes absent lists and maps as null, so null means absent throughout. */
export function readString(fields: Fields, name: string, fallback = ''): string {
  const value = fields.values[name] ?? fallback;
  if (typeof value !== 'string') throw malformed(`${name} in ${fields.where}`, 'a string');
  return value;
}

export function readSize(fields: Fields, name: string): number {
  const value = fields.values[name];
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw malformed(`${name} in ${fields.where}`, 'a number of bytes');
}

export function readFields(fields: Fields, name: string): Fields {
  return asFields(fields.values[name] ?? {}, `${name} in ${fields.where}`);
}

export function readList(fields: Fields, name: string): readonly unknown[] {
  const value = fields.values[name] ?? [];
  if (!Array.isArray(value)) throw malformed(`${name} in ${fields.where}`, 'a list');
  return value;
}

export function readStrings(fields: Fields, name: string): string[] {
  return readList(fields, name).map((item) => {
    if (typeof item === 'string') return item;
    throw malformed(`${name} in ${fields.where}`, 'a list of strings');
  });
}

/** A map of strings, such as labels. Its prototype is null: keys come from strangers. */
export function readStringMap(fields: Fields, name: string): Record<string, string> {
  const map: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(readFields(fields, name).values)) {
    if (typeof value !== 'string')
      throw malformed(`${name} in ${fields.where}`, 'a map of strings');
    map[key] = value;
  }
  return map;
}

/** The keys of an object that stands for a set, such as exposed ports. */
export function readKeys(fields: Fields, name: string): string[] {
  return Object.keys(readFields(fields, name).values).sort();
}

const HINT = 'the image is damaged or was not made to the OCI image format; make or fetch it again';

function malformed(what: string, expected: string): WardianError {
  return new WardianError('IMAGE_INVALID', `${what} is not ${expected}`, { hint: HINT });
}
