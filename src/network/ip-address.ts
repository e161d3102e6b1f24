import { isIPv4, isIPv6 } from 'node:net';
import { WardianError } from '../util/errors.ts';

/** The 4 or 16 bytes of an address as ip(8) prints it. Throws NETWORK_FAILED for anything else. */
export function parseIpAddress(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.').map(Number));
  if (isIPv6(text) && !text.includes('%')) return parseIpv6(text);
  throw new WardianError('NETWORK_FAILED', `${JSON.stringify(text)} is not an IP address`);
}

/** The 6 bytes of an Ethernet address. */
export function parseMacAddress(text: string): Uint8Array {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return Uint8Array.from(parseHexBytes(text));
  throw new WardianError('NETWORK_FAILED', `${JSON.stringify(text)} is not an Ethernet address`);
}

function parseHexBytes(text: string): number[] {
  return text.split(':').map((byte) => Number.parseInt(byte, 16));
}

/** RFC 4291, section 2.2. */
function parseIpv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const front = parseGroups(head);
  const back = tail === undefined ? [] : parseGroups(tail);
  const bytes = new Uint8Array(16);
  bytes.set(front, 0);
  bytes.set(back, 16 - back.length);
  return bytes;
}

function parseGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
