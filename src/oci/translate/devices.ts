import { posix } from 'node:path';
import type { GuestDevice } from '../guest-operations.ts';
import type { Device } from '../runtime-spec/types.ts';
import { invalid, unsupported } from './unsupported.ts';

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

/** Numbers of character devices that every Linux kernel has, or the guest's: /dev/console, /dev/ptmx, /dev/fuse, /dev/net/tun. */
const GUEST_DEVICES: ReadonlySet<string> = new Set([
  ...DEFAULT_DEVICES.map(({ major, minor }) => `${major}:${minor}`),
  ...['5:1', '5:2', '10:229', '10:200'],
]);

/** The default devices and the specification's own, which win where both name a path. */
export function translateDevices(devices: readonly Device[]): GuestDevice[] {
  const byPath = new Map(DEFAULT_DEVICES.map((device) => [device.path, toGuest(device)]));
  devices.forEach((device, index) => {
    const guest = toGuest(checkDevice(device, `linux.devices[${index}]`));
    byPath.set(guest.path, guest);
  });
  return [...byPath.values()];
}

function checkDevice(device: Device, path: string): Device {
  const { type, major, minor } = device;
  if (type === 'p') return device;
  if (major === undefined || minor === undefined) {
    throw invalid(path, 'has no major and minor number');
  }
  const isGuests = type !== 'b' && GUEST_DEVICES.has(`${major}:${minor}`);
  if (isGuests) return device;
  throw unsupported(
    path,
    `${device.path} (${type} ${major}:${minor}) is a device of the host, out of reach of the virtual machine`,
    'do without --privileged and --device; capabilities can be given by themselves: --cap-add=all',
  );
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
