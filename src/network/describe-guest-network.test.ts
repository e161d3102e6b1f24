import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkConfig } from '../machine/network-config.ts';
import { WardianError } from '../util/errors.ts';
import { describeGuestNetwork } from './describe-guest-network.ts';
import { parseIpAddress, parseMacAddress } from './ip-address.ts';

const NETWORK: NetworkConfig = {
  interfaces: [
    {
      name: 'eth0',
      macAddress: '02:42:ac:11:00:02',
      mtuBytes: 1400,
      addresses: [
        { address: '172.17.0.2', prefixLength: 16, broadcast: '172.17.255.255', scope: 0 },
        { address: 'fd00::2', prefixLength: 64, scope: 0 },
      ],
      settings: [{ family: 'ipv6', name: 'accept_ra', value: 0 }],
      backend: { kind: 'tap', namespacePath: '/proc/7/ns/net', name: 'wardian0' },
    },
  ],
  routes: [
    {
      ...{ family: 'inet', prefixLength: 0, gateway: '172.17.0.1', source: '172.17.0.2' },
      ...{ device: 'eth0', metric: 5, scope: 0, type: 1, flags: 4, mtuBytes: 1300 },
    } as const,
    {
      ...{ family: 'inet6', destination: 'fd01::', prefixLength: 64, device: '' },
      ...{ metric: 1024, scope: 0, type: 6, flags: 0, table: 255 },
    } as const,
  ],
  neighbours: [
    { address: '172.17.0.1', macAddress: '02:42:ac:11:00:01', device: 'eth0', state: 128 },
  ],
};

test('a network is told to the agent in bytes and numbers', () => {
  const { interfaces, configuration } = describeGuestNetwork(NETWORK);
  assert.deepEqual(interfaces, [
    { name: 'eth0', mac: Uint8Array.of(0x02, 0x42, 0xac, 0x11, 0x00, 0x02) },
  ]);
  const [eth0] = configuration.interfaces;
  assert.equal(eth0?.mtu, 1400);
  assert.deepEqual(eth0?.addresses[0], {
    ip: Uint8Array.of(172, 17, 0, 2),
    prefixLength: 16,
    broadcast: Uint8Array.of(172, 17, 255, 255),
    scope: 0,
  });
  assert.equal(eth0?.addresses[1]?.ip.length, 16);
  assert.deepEqual(eth0?.settings, [{ key: 'ipv6/accept_ra', value: '0' }]);
  const [first, second] = configuration.routes;
  assert.deepEqual(first, {
    ...{ family: 2, prefixLength: 0, gateway: Uint8Array.of(172, 17, 0, 1) },
    ...{ source: Uint8Array.of(172, 17, 0, 2), device: 'eth0', metric: 5 },
    ...{ scope: 0, type: 1, flags: 4, mtu: 1300 },
  });
  assert.deepEqual([second?.family, second?.device, second?.table], [10, '', 255]);
  assert.deepEqual([...(second?.destination ?? [])].slice(0, 3), [0xfd, 1, 0]);
  assert.equal(configuration.neighbours[0]?.state, 128);
});

test('addresses of both families become bytes', () => {
  const hex = (text: string) => Buffer.from(parseIpAddress(text)).toString('hex');
  assert.equal(hex('10.0.255.1'), '0a00ff01');
  assert.equal(hex('::'), '0'.repeat(32));
  assert.equal(hex('::1'), `${'0'.repeat(31)}1`);
  assert.equal(hex('fe80::'), `fe80${'0'.repeat(28)}`);
  assert.equal(hex('2001:db8::8:800:200c:417a'), '20010db80000000000080800200c417a');
  assert.equal(hex('1:2:3:4:5:6:7:8'), '00010002000300040005000600070008');
  assert.equal(hex('::ffff:10.0.0.1'), '00000000000000000000ffff0a000001');
});

test('what is no address is refused', () => {
  for (const text of ['', '10.0.0', '10.0.0.256', 'fe80::1%eth0', '1::2::3', 'default']) {
    assert.throws(() => parseIpAddress(text), WardianError, text);
  }
  for (const text of ['', '02:42:ac:11:00', '02:42:ac:11:00:zz', '02:42:ac:11:00:02:03']) {
    assert.throws(() => parseMacAddress(text), WardianError, text);
  }
});
