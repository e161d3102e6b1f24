import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device, MachineConfig } from '../../machine/machine-config.ts';
import { buildHostSide, findHostSide } from './host-side.ts';
import { buildLauncherArguments } from './process.ts';

function configure(devices: readonly Device[]): MachineConfig {
  const boot = { kernelPath: '/k', initramfsPath: '/i', acpi: true, parameters: [] };
  return { cpus: 1, memoryBytes: 256 * 1024 * 1024, boot, devices };
}

test('a share is opened where it is seen', () => {
  const share = { kind: 'share', tag: 't', path: '/run/m/share' } as const;
  const options = (device: Device) => buildHostSide(findHostSide(configure([device])));
  assert.deepEqual(options(share), ['--share', '7=/run/m/share']);
  const foreign = { ...share, path: '/proc/17/root/run/a=b', writable: true };
  assert.deepEqual(options(foreign), [
    ...['--share', '7=/run/a=b', '--share-namespace', '/proc/17/ns/mnt', '--share-writable'],
  ]);
  // Not the root folder of a process by its number.
  assert.deepEqual(options({ ...share, path: '/proc/self/root/a' }), [
    ...['--share', '7=/proc/self/root/a'],
  ]);
});

test('taps are numbered as the devices that they belong to', () => {
  const tap = { kind: 'tap', namespacePath: '/proc/17/ns/net', name: 'tap0' } as const;
  const macvtap = { ...tap, kind: 'macvtap', name: 'mv', index: 23 } as const;
  const devices: Device[] = [
    { kind: 'network', id: 'net0', backend: { kind: 'none' } },
    { kind: 'network', id: 'net1', backend: tap },
    { kind: 'random' },
    { kind: 'network', id: 'net2', backend: macvtap },
  ];
  assert.deepEqual(buildHostSide(findHostSide(configure(devices))), [
    ...['--tap', '201=tap0@/proc/17/ns/net', '--tap', '202=mv:23@/proc/17/ns/net'],
  ]);
});

test('cgroups are joined in their order', () => {
  const hostSide = findHostSide(configure([]), ['/c/memory/a', '/c/cpu/a']);
  assert.deepEqual(buildHostSide(hostSide), ['--cgroup', '/c/memory/a', '--cgroup', '/c/cpu/a']);
});

test('only a VMM whose guest has no files of the host may be kept from writing large ones', () => {
  const launch = (writable: boolean) => {
    const share = { kind: 'share', tag: 't', path: '/run/m/share', writable } as const;
    const hostSide = findHostSide(configure([share]));
    const start = { launcherPath: '/l', directory: '/d', argv: ['/q'], hostSide };
    return buildLauncherArguments({ ...start, confinement: undefined });
  };
  assert.ok(launch(false).includes('--file-limit'));
  assert.ok(!launch(true).includes('--file-limit'));
});
