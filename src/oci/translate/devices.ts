import { posix } from 'node:path';
import type { GuestDevice } from '../guest-operations.ts';
import type { Device } from '../runtime-spec/types.ts';
import { invalid } from './unsupported.ts';

const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const FILE_TYPES = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO } as const;
const PERMISSIONS = 0o7777;
const DEFAULT_MODE = 0o666;

/** The devices that the specification promises to every container (config-linux, "Default Devices"). */
const DEFAULT_DEVICES: readonly Device[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0 },
];

/** The default devices and the specification's own, which win where both name a path. */
export function translateDevices(devices: readonly Device[]): GuestDevice[] {
  const byPath = new Map(DEFAULT_DEVICES.map((device) => [device.path, toGuest(device)]));
  devices.forEach((device, index) => {
    const guest = toGuest(checkNumbers(device, `linux.devices[${index}]`));
    byPath.set(guest.path, guest);
  });
  return [...byPath.values()];
}

function checkNumbers(device: Device, path: string): Device {
  const hasNumbers = device.major !== undefined && device.minor !== undefined;
  if (device.type !== 'p' && !hasNumbers) throw invalid(path, 'has no major and minor number');
  return device;
}

function toGuest(device: Device): GuestDevice {
  return {
    path: posix.normalize(device.path),
    type: FILE_TYPES[device.type],
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    // Engines put the bits of S_IFMT into fileMode too; `type` says the same.
    mode: (device.fileMode ?? DEFAULT_MODE) & PERMISSIONS,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  };
}
