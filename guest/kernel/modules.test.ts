import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModuleInfo, moduleNameOf, orderModules, readModuleInfo } from './modules.ts';

function describe(name: string, more: Partial<ModuleInfo> = {}): [string, ModuleInfo] {
  return [name, { name, depends: [], softDepends: [], aliases: [], ...more }];
}

/** A 64-bit ELF file with nothing but a `.modinfo` section and the table of section names. */
function elfWithModinfo(modinfo: string): Buffer {
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const content = Buffer.from(modinfo);
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 0, 'latin1');
  const table = header.length + content.length + names.length;
  header.writeBigUInt64LE(BigInt(table), 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(3, 0x3c);
  header.writeUInt16LE(2, 0x3e);
  const section = (nameOffset: number, start: number, size: number) => {
    const entry = Buffer.alloc(64);
    entry.writeUInt32LE(nameOffset, 0);
    entry.writeBigUInt64LE(BigInt(start), 24);
    entry.writeBigUInt64LE(BigInt(size), 32);
    return entry;
  };
  const sections = [
    Buffer.alloc(64),
    section(1, header.length, content.length),
    section(10, header.length + content.length, names.length),
  ];
  return Buffer.concat([header, content, names, ...sections]);
}

test('dependencies stand before what needs them, each once', () => {
  const modules = new Map([
    describe('virtio_net', { depends: ['virtio', 'net_failover'] }),
    describe('net_failover', { depends: ['failover'] }),
    describe('failover'),
    describe('virtio'),
    describe('virtio_mmio', { depends: ['virtio'] }),
    describe('unrelated'),
  ]);
  assert.deepEqual(orderModules(['virtio_mmio', 'virtio_net'], modules), [
    'virtio',
    'virtio_mmio',
    'failover',
    'net_failover',
    'virtio_net',
  ]);
});

test('a soft dependency on an algorithm brings its generic implementation', () => {
  const modules = new Map([
    describe('libcrc32c', { softDepends: ['crc32c'] }),
    describe('crc32c_generic', { aliases: ['crc32c', 'crypto-crc32c'] }),
    describe('crc32c_intel', { aliases: ['crc32c'] }),
  ]);
  assert.deepEqual(orderModules(['libcrc32c'], modules), ['crc32c_generic', 'libcrc32c']);
});

test('a root that is missing is an error, a dependency that is missing is built in', () => {
  const modules = new Map([describe('erofs', { depends: ['built_in'] })]);
  assert.deepEqual(orderModules(['erofs'], modules), ['erofs']);
  assert.throws(() => orderModules(['overlay'], modules), /no module overlay/);
});

test('dependencies in a circle end', () => {
  const modules = new Map([
    describe('a', { softDepends: ['b'] }),
    describe('b', { depends: ['a'] }),
  ]);
  assert.deepEqual(orderModules(['a'], modules), ['b', 'a']);
});

test('a module tells its name, dependencies and aliases', () => {
  const modinfo = [
    'license=GPL',
    'alias=crypto-crc32c',
    'alias=crc32c',
    'softdep=pre: crc32c sha256 post: other',
    'depends=virtio,net-failover',
    'name=virtio_net',
    '',
  ].join('\0');
  assert.deepEqual(readModuleInfo(elfWithModinfo(modinfo)), {
    name: 'virtio_net',
    depends: ['virtio', 'net_failover'],
    softDepends: ['crc32c', 'sha256'],
    aliases: ['crypto-crc32c', 'crc32c'],
  });
});

test('what is no module is refused', () => {
  assert.throws(() => readModuleInfo(Buffer.from('#!/bin/sh\n')), /not an ELF file/);
});

test('module files are named as the kernel names modules', () => {
  assert.equal(moduleNameOf('kernel/drivers/char/hw_random/virtio-rng.ko'), 'virtio_rng');
});
