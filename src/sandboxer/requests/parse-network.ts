import type {
  NetworkAddress,
  NetworkConfig,
  NetworkInterface,
  NetworkNeighbour,
  NetworkRoute,
  NetworkSetting,
  TapBackend,
} from '../../machine/network-config.ts';
import {
  checkText,
  type Fields,
  requireInteger,
  requireObject,
  requireText,
  wrong,
} from './fields.ts';

const MAX_INTERFACES = 32;
const MAX_ADDRESSES = 256;
const MAX_SETTINGS = 16;
/** Names of files in /proc/sys/net/ipv4/conf/NAME. */
const SETTING_NAME = /^[a-z0-9_]{1,64}$/;
/** Routes and neighbours of a node in a large cluster; each is a message of a hundred bytes. */
const MAX_ENTRIES = 4096;
/** Longest text of an address: IPv6 with a zone. */
const MAX_ADDRESS_CHARACTERS = 64;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** IFNAMSIZ with its zero is 16; what the kernel forbids besides is "/", ":" and blanks. */
const DEVICE_NAME = /^[^\s/:]{1,15}$/;
const UINT32 = [0, 2 ** 32 - 1] as const;
const BYTE = [0, 255] as const;
const PREFIX = [0, 128] as const;

/** Checks what a sandbox takes over from a network namespace. */
export function parseNetwork(value: unknown): NetworkConfig {
  const fields = requireObject(value, 'network');
  return {
    interfaces: parseList(fields, 'network', {
      name: 'interfaces',
      most: MAX_INTERFACES,
      parse: parseInterface,
    }),
    routes: parseList(fields, 'network', {
      name: 'routes',
      most: MAX_ENTRIES,
      parse: parseRoute,
    }),
    neighbours: parseList(fields, 'network', {
      name: 'neighbours',
      most: MAX_ENTRIES,
      parse: parseNeighbour,
    }),
  };
}

interface ListPlace<T> {
  readonly name: string;
  readonly most: number;
  readonly parse: (fields: Fields, place: string) => T;
}

function parseList<T>(fields: Fields, parent: string, { name, most, parse }: ListPlace<T>): T[] {
  const value = fields[name];
  const place = `${parent}.${name}`;
  if (!Array.isArray(value)) throw wrong(place, 'must be a list');
  if (value.length > most) throw wrong(place, `has more than ${most} items`);
  return value.map((item, index) => {
    const itemPlace = `${place}[${index}]`;
    return parse(requireObject(item, itemPlace), itemPlace);
  });
}

function parseInterface(fields: Fields, place: string): NetworkInterface {
  return {
    name: requireDevice(fields['name'], `${place}.name`),
    macAddress: requireMac(fields['macAddress'], `${place}.macAddress`),
    mtuBytes: requireInteger(fields['mtuBytes'], `${place}.mtuBytes`, UINT32),
    addresses: parseList(fields, place, {
      name: 'addresses',
      most: MAX_ADDRESSES,
      parse: parseAddress,
    }),
    settings: parseList(fields, place, {
      name: 'settings',
      most: MAX_SETTINGS,
      parse: parseSetting,
    }),
    backend: parseBackend(fields['backend'], `${place}.backend`),
  };
}

function parseSetting(fields: Fields, place: string): NetworkSetting {
  const { family, name, value } = fields;
  if (family !== 'ipv4' && family !== 'ipv6') {
    throw wrong(`${place}.family`, 'must be ipv4 or ipv6');
  }
  if (typeof name !== 'string' || !SETTING_NAME.test(name)) {
    throw wrong(`${place}.name`, 'must be the name of a setting');
  }
  return { family, name, value: requireInteger(value, `${place}.value`, UINT32) };
}

function parseBackend(value: unknown, place: string): TapBackend {
  const fields = requireObject(value, place);
  const { kind, index } = fields;
  if (kind !== 'tap' && kind !== 'macvtap') throw wrong(`${place}.kind`, 'must be tap or macvtap');
  return {
    kind,
    namespacePath: requireText(fields, 'namespacePath'),
    name: requireDevice(fields['name'], `${place}.name`),
    ...(index === undefined ? {} : { index: requireInteger(index, `${place}.index`, UINT32) }),
  };
}

function parseAddress(fields: Fields, place: string): NetworkAddress {
  return {
    address: requireAddress(fields['address'], `${place}.address`),
    prefixLength: requireInteger(fields['prefixLength'], `${place}.prefixLength`, PREFIX),
    ...optionalAddress(fields, place, 'broadcast'),
    scope: requireInteger(fields['scope'], `${place}.scope`, BYTE),
  };
}

function parseRoute(fields: Fields, place: string): NetworkRoute {
  const { family, mtuBytes, table } = fields;
  if (family !== 'inet' && family !== 'inet6') {
    throw wrong(`${place}.family`, 'must be inet or inet6');
  }
  return {
    family,
    ...optionalAddress(fields, place, 'destination'),
    prefixLength: requireInteger(fields['prefixLength'], `${place}.prefixLength`, PREFIX),
    ...optionalAddress(fields, place, 'gateway'),
    ...optionalAddress(fields, place, 'source'),
    device: fields['device'] === '' ? '' : requireDevice(fields['device'], `${place}.device`),
    metric: requireInteger(fields['metric'], `${place}.metric`, UINT32),
    scope: requireInteger(fields['scope'], `${place}.scope`, BYTE),
    type: requireInteger(fields['type'], `${place}.type`, BYTE),
    flags: requireInteger(fields['flags'], `${place}.flags`, UINT32),
    ...(mtuBytes === undefined
      ? {}
      : { mtuBytes: requireInteger(mtuBytes, `${place}.mtuBytes`, UINT32) }),
    ...(table === undefined ? {} : { table: requireInteger(table, `${place}.table`, UINT32) }),
  };
}

function parseNeighbour(fields: Fields, place: string): NetworkNeighbour {
  return {
    address: requireAddress(fields['address'], `${place}.address`),
    macAddress: requireMac(fields['macAddress'], `${place}.macAddress`),
    device: requireDevice(fields['device'], `${place}.device`),
    state: requireInteger(fields['state'], `${place}.state`, [0, 2 ** 16 - 1]),
  };
}

function requireDevice(value: unknown, place: string): string {
  if (typeof value === 'string' && DEVICE_NAME.test(value)) return value;
  throw wrong(place, 'must be the name of a network device');
}

function requireMac(value: unknown, place: string): string {
  if (typeof value === 'string' && MAC.test(value)) return value;
  throw wrong(place, 'must be a MAC address');
}

function requireAddress(value: unknown, place: string): string {
  const text = checkText(value, place);
  if (text.length <= MAX_ADDRESS_CHARACTERS) return text;
  throw wrong(place, 'is too long for an address');
}

/** To be spread: empty when the field is absent. */
function optionalAddress<Name extends string>(
  fields: Fields,
  place: string,
  name: Name,
): { [K in Name]?: string } {
  const value = fields[name];
  const found = value === undefined ? {} : { [name]: requireAddress(value, `${place}.${name}`) };
  return found as { [K in Name]?: string };
}
