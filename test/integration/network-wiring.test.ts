import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import type { NetworkModel } from '../../src/machine/network-config.ts';
import { takeOverNetwork, unwireNetwork } from '../../src/network/take-over-network.ts';
import { NetworkNamespace, reasonToSkipNamespaces } from '../support/network-namespace.ts';

const skip = reasonToSkipNamespaces();
const MAC = '02:00:00:00:00:02';

let namespace: NetworkNamespace;
let peer: NetworkNamespace;
beforeEach(async () => {
  if (skip !== false) return;
  namespace = await NetworkNamespace.create();
  peer = await NetworkNamespace.create();
});
afterEach(async () => {
  if (skip !== false) return;
  await namespace.delete();
  await peer.delete();
});

/** As an engine leaves it: one end of a pair in the namespace, the other where the engine is. */
function makePair(name: string, ...commands: string[]): void {
  const end = `netns ${peer.processId}`;
  namespace.ip(`link add ${name} address ${MAC} type veth peer name p${name} ${end}`, ...commands);
  namespace.ip(`link set ${name} up`);
  peer.ip(`link set p${name} up`);
}

const takeOver = (model: NetworkModel = 'tcfilter') =>
  takeOverNetwork({ processId: namespace.processId, chooseModel: () => model });

test('a namespace without interfaces gives no network', { skip }, async () => {
  assert.equal(await takeOver(), undefined);
});

test('everything that a guest has to know is found', { skip }, async () => {
  makePair('eth0', 'link set eth0 mtu 1400');
  namespace.ip(
    'addr add 10.9.0.2/24 broadcast 10.9.0.255 dev eth0',
    'addr add 10.8.0.2 peer 10.8.0.1/32 dev eth0',
    'addr add fd00::2/64 dev eth0',
    'route add 10.7.0.0/16 via 10.9.9.9 dev eth0 onlink mtu 1300',
    'route add default via 10.9.0.1 src 10.9.0.2 metric 5',
    'route add 10.6.0.0/24 dev eth0',
    'route add blackhole 10.77.0.0/16',
    '-6 route add default via fd00::1 dev eth0',
    'neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent',
  );
  const wired = await takeOver();
  assert.ok(wired);
  const { interfaces, routes, neighbours } = wired.network;
  assert.deepEqual(interfaces, [
    {
      name: 'eth0',
      macAddress: MAC,
      mtuBytes: 1400,
      addresses: [
        { address: '10.9.0.2', prefixLength: 24, broadcast: '10.9.0.255', scope: 0 },
        { address: '10.8.0.2', prefixLength: 32, scope: 0 },
        { address: 'fd00::2', prefixLength: 64, scope: 0 },
      ],
      settings: [
        { family: 'ipv6', name: 'accept_dad', value: 0 },
        { family: 'ipv6', name: 'accept_ra', value: 0 },
      ],
      backend: { kind: 'tap', namespacePath: namespace.path, name: 'wardian0' },
    },
  ]);
  const texts = routes.map(({ destination = 'default', prefixLength, gateway = '-', type }) =>
    [`${destination}/${prefixLength}`, gateway, type].join(' '),
  );
  assert.deepEqual(texts, [
    '10.8.0.1/32 - 1',
    '10.6.0.0/24 - 1',
    '10.77.0.0/16 - 6',
    'default/0 10.9.0.1 1',
    '10.7.0.0/16 10.9.9.9 1',
    'default/0 fd00::1 1',
  ]);
  const [peerRoute, , hole, gateway, onLink, gateway6] = routes;
  assert.deepEqual([peerRoute?.source, peerRoute?.scope], ['10.8.0.2', 253]);
  assert.deepEqual([hole?.device, hole?.family], ['', 'inet']);
  assert.deepEqual([gateway?.metric, gateway?.source, gateway?.device], [5, '10.9.0.2', 'eth0']);
  assert.deepEqual([onLink?.flags, onLink?.mtuBytes], [4, 1300]);
  assert.deepEqual([gateway6?.family, gateway6?.metric], ['inet6', 1024]);
  assert.deepEqual(neighbours, [
    { address: '10.9.0.9', macAddress: '02:00:00:00:00:09', device: 'eth0', state: 128 },
  ]);
});

test('interface and tap are wired both ways, and unwired without a trace', { skip }, async () => {
  makePair('eth0');
  const wired = await takeOver();
  assert.ok(wired);
  assert.match(
    namespace.run('tc', 'filter', 'show', 'dev', 'eth0', 'ingress'),
    /to device wardian0/,
  );
  assert.match(
    namespace.run('tc', 'filter', 'show', 'dev', 'wardian0', 'ingress'),
    /to device eth0/,
  );
  assert.match(
    namespace.run('ip', '-details', 'link', 'show', 'wardian0'),
    /mtu 1500[\s\S]*tun type tap/,
  );
  assert.equal(namespace.run('ip', 'addr', 'show', 'dev', 'wardian0').includes('inet'), false);
  await unwireNetwork(wired);
  assert.equal(namespace.run('ip', 'link').includes('wardian0'), false);
  assert.equal(namespace.run('tc', 'qdisc', 'show', 'dev', 'eth0').includes('ingress'), false);
  await unwireNetwork(wired);
});

test('a macvtap takes the place of tap and redirection when it is chosen', { skip }, async () => {
  makePair('eth0', 'link set eth0 mtu 1400');
  const wired = await takeOver('macvtap');
  assert.ok(wired);
  const [found] = wired.network.interfaces;
  const shown = namespace.run('ip', '-details', 'link', 'show', 'wardian0');
  assert.match(shown, new RegExp(`mtu 1400[\\s\\S]*${MAC}[\\s\\S]*macvtap mode passthru`));
  assert.equal(found?.backend.kind, 'macvtap');
  assert.equal(found?.backend.index, Number(/^\d+/.exec(shown)?.[0]));
  await unwireNetwork(wired);
  assert.equal(namespace.run('ip', 'link').includes('wardian0'), false);
});

test('a namespace that is gone, or another one by now, is left alone', { skip }, async () => {
  makePair('eth0');
  const wired = await takeOver();
  assert.ok(wired);
  await unwireNetwork({ ...wired, namespaceInode: wired.namespaceInode + 1 });
  assert.match(namespace.run('ip', 'link'), /wardian0/);
  await namespace.delete();
  await unwireNetwork(wired);
  namespace = await NetworkNamespace.create(); // for afterEach
});

test('what a dead machine left behind is replaced', { skip }, async () => {
  makePair('eth0');
  await takeOver();
  const again = await takeOver();
  assert.equal(again?.network.interfaces[0]?.backend.name, 'wardian0');
  assert.equal(again?.network.interfaces.length, 1);
  const filters = namespace.run('tc', 'filter', 'show', 'dev', 'eth0', 'ingress');
  assert.equal(filters.match(/to device wardian0/g)?.length, 1);
});

test('several interfaces keep their order, and each gets a tap', { skip }, async () => {
  makePair('eth0');
  makePair('eth1', 'link set eth1 address 02:00:00:00:00:03');
  peer.ip('link add under type veth peer name below', 'link set under up', 'link set below up');
  peer.ip('link add link under name mv address 02:00:00:00:00:04 type macvlan mode bridge');
  peer.ip(`link set mv netns ${namespace.processId}`);
  namespace.ip('link set mv up');
  const names = (await takeOver())?.network.interfaces.map(({ name, backend, macAddress }) =>
    [name, backend.name, macAddress].join(' '),
  );
  assert.deepEqual(names?.toSorted(), [
    'eth0 wardian0 02:00:00:00:00:02',
    'eth1 wardian1 02:00:00:00:00:03',
    'mv wardian2 02:00:00:00:00:04',
  ]);
});

test('more interfaces than a machine has slots for are refused', { skip }, async () => {
  for (const name of ['eth0', 'eth1', 'eth2', 'eth3']) makePair(name);
  await assert.rejects(() => takeOver(), {
    code: 'NETWORK_UNSUPPORTED',
    message: 'the network namespace has 4 interfaces, and a virtual machine at most 3',
  });
});

test('a tap that nobody serves is used itself, with another address for the guest', {
  skip,
}, async () => {
  namespace.ip('tuntap add dev vm0 mode tap', 'link set vm0 address 02:00:00:00:00:10 up');
  namespace.ip('addr add 10.9.0.2/24 dev vm0');
  const wired = await takeOver();
  const [found] = wired?.network.interfaces ?? [];
  assert.deepEqual(
    [found?.name, found?.backend.name, found?.macAddress],
    ['vm0', 'vm0', '02:00:00:00:00:11'],
  );
  assert.ok(wired);
  await unwireNetwork(wired);
  assert.match(namespace.run('ip', 'link'), /vm0/);
});

test('interfaces that are down are not the container’s', { skip }, async () => {
  makePair('eth0');
  namespace.ip('link set eth0 down', 'tuntap add dev tun0 mode tun', 'link set tun0 up');
  assert.equal(await takeOver(), undefined);
});

test('an interface without Ethernet is refused by its name', { skip }, async () => {
  namespace.ip('tuntap add dev tun7 mode tun', 'addr add 10.9.0.2/24 dev tun7', 'link set tun7 up');
  await assert.rejects(() => takeOver(), {
    code: 'NETWORK_UNSUPPORTED',
    message: /network interface tun7 \(tun\) carries no Ethernet frames/,
  });
});

test('a route with several gateways is refused', { skip }, async () => {
  makePair('eth0');
  namespace.ip('addr add 10.9.0.2/24 dev eth0');
  namespace.ip('route add 10.5.0.0/24 nexthop via 10.9.0.7 nexthop via 10.9.0.8');
  await assert.rejects(() => takeOver(), {
    code: 'NETWORK_UNSUPPORTED',
    message: /10\.5\.0\.0\/24 has several/,
  });
  assert.equal(namespace.run('ip', 'link').includes('wardian0'), false);
});

test('without IPv6 on the host’s side the guest has none', { skip }, async () => {
  makePair('eth0', 'link set eth0 addrgenmode none');
  namespace.ip('addr add 10.9.0.2/24 dev eth0');
  const [found] = (await takeOver())?.network.interfaces ?? [];
  assert.deepEqual(found?.settings, [{ family: 'ipv6', name: 'disable_ipv6', value: 1 }]);
});

test('a command that fails names interface and command, and nothing is left', {
  skip,
}, async () => {
  makePair('eth0');
  namespace.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'ingress');
  await assert.rejects(() => takeOver(), {
    code: 'NETWORK_FAILED',
    message: /tc qdisc add dev eth0 ingress failed in the network namespace/,
  });
  assert.equal(namespace.run('ip', 'link').includes('wardian0'), false);
  assert.match(namespace.run('tc', 'qdisc', 'show', 'dev', 'eth0'), /ingress/); // which was not ours
});

test('the host’s own network is refused', { skip }, async () => {
  await assert.rejects(takeOverNetwork({ processId: process.pid, chooseModel: () => 'tcfilter' }), {
    code: 'NETWORK_UNSUPPORTED',
    message: /host's own network/,
  });
});

/** Listens where Docker's resolver does. */
const RESOLVER = `
import socket, time
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('127.0.0.11', 0))
t = socket.socket()
t.bind(('127.0.0.11', 0))
t.listen()
print(f'{u.getsockname()[1]} {t.getsockname()[1]}\\n', end='', flush=True)
time.sleep(60)
`;

test('a resolver on the loopback is made known to the guest, and its ports are found', {
  skip,
}, async () => {
  makePair('eth0');
  namespace.ip('addr add 10.9.0.2/24 dev eth0');
  const server = namespace.start('python3', '-c', RESOLVER);
  const [text] = (await once(server.stdout, 'data')) as [Buffer];
  const [udpPort, tcpPort] = text.toString().trim().split(' ').map(Number);
  const wired = await takeOver();
  assert.ok(wired);
  assert.deepEqual(wired.resolver, { udpPort, tcpPort });
  const { interfaces, routes, neighbours } = wired.network;
  assert.deepEqual(interfaces[0]?.addresses.at(-1)?.address, '169.254.254.2');
  assert.deepEqual(interfaces[0]?.settings.at(-1)?.name, 'route_localnet');
  assert.deepEqual([routes.at(-1)?.destination, routes.at(-1)?.table], ['127.0.0.11', 255]);
  assert.equal(neighbours.at(-1)?.address, '127.0.0.11');
  const rules = namespace.run('iptables', '-t', 'nat', '-S', 'PREROUTING');
  assert.match(rules, new RegExp(`-i wardian0 -p udp .*--to-destination 127.0.0.11:${udpPort}\n`));
  assert.match(rules, new RegExp(`-i wardian0 -p tcp .*--to-destination 127.0.0.11:${tcpPort}\n`));
  const filters = namespace.run('tc', 'filter', 'show', 'dev', 'wardian0', 'ingress');
  assert.ok(filters.indexOf('7f00000b/ffffffff') < filters.indexOf('to device eth0'));
  await unwireNetwork(wired);
  assert.equal(namespace.run('iptables', '-t', 'nat', '-S').includes('wardian0'), false);
  server.kill('SIGKILL');
});
