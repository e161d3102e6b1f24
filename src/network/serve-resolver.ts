import type { NetworkConfig, NetworkInterface } from '../machine/network-config.ts';
import type { Cleanup } from '../util/cleanup.ts';
import { RESOLVER_ADDRESS, type Resolver } from './find-resolver.ts';
import { type NetworkNamespace, runInNamespace } from './run-in-namespace.ts';
import { DEVICE_ADDRESS } from './wiring.ts';

/** Of the guest, on the wire to the host alone: link-local, and neither Calico's nor a cloud's. */
const GUEST_ADDRESS = '169.254.254.2';
const DNS_PORT = 53;
/** linux/rtnetlink.h, linux/neighbour.h */
const RT_TABLE_LOCAL = 255;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const NUD_PERMANENT = 0x80;

/**
 * Lets the guest reach a resolver on the loopback of the namespace under the same address. What it sends there is
 * not turned round to the interface, but goes up to the namespace's own stack, and on to the port that the resolver has.
 */
export async function serveResolver(
  namespace: NetworkNamespace,
  { macAddress, backend: { name: tap } }: NetworkInterface,
  { resolver, cleanup }: { resolver: Resolver; cleanup: Cleanup },
): Promise<void> {
  const { namespacePath } = namespace;
  const run = (argv: readonly string[], lines: readonly string[]) =>
    runInNamespace({ ...namespace, argv, lines });
  const localnet = `/proc/sys/net/ipv4/conf/${tap}/route_localnet`;
  await run(['tee', localnet], ['1']);
  await run(['ip', '-batch', '-'], buildWayBack(tap, macAddress));
  await run(['tc', '-batch', '-'], [buildWayUp(tap)]);
  await run(['iptables-restore', '--noflush'], buildTranslation('-A', tap, resolver));
  cleanup.defer('resolver', () => forgetResolver({ namespacePath }, tap, resolver));
}

/** What the guest has to know of it. */
export function announceResolver(network: NetworkConfig): NetworkConfig {
  const [first, ...others] = network.interfaces;
  if (first === undefined) return network;
  const { name: device, addresses, settings } = first;
  const address = { address: GUEST_ADDRESS, prefixLength: 32, scope: RT_SCOPE_LINK };
  const setting = { family: 'ipv4', name: 'route_localnet', value: 1 } as const;
  const target = { family: 'inet', destination: RESOLVER_ADDRESS, prefixLength: 32 } as const;
  const how = { metric: 0, scope: RT_SCOPE_LINK, type: RTN_UNICAST, flags: 0 };
  const route = { ...target, source: GUEST_ADDRESS, device, ...how, table: RT_TABLE_LOCAL };
  const neighbour = { address: RESOLVER_ADDRESS, macAddress: DEVICE_ADDRESS, device };
  return {
    interfaces: [
      { ...first, addresses: [...addresses, address], settings: [...settings, setting] },
      ...others,
    ],
    routes: [...network.routes, route],
    neighbours: [...network.neighbours, { ...neighbour, state: NUD_PERMANENT }],
  };
}

function buildWayBack(tap: string, macAddress: string): string[] {
  return [
    `link set dev ${tap} arp on`,
    `route add ${GUEST_ADDRESS}/32 dev ${tap} scope link`,
    `neigh replace ${GUEST_ADDRESS} lladdr ${macAddress} dev ${tap} nud permanent`,
  ];
}

/** Before the filter that redirects; without an action it says that the packet may pass. */
function buildWayUp(tap: string): string {
  const match = `u32 match ip dst ${RESOLVER_ADDRESS}/32 classid 1:1`;
  return `filter add dev ${tap} parent ffff: protocol ip prio 5 ${match}`;
}

/** Takes the translation of ports back; the rest goes with the tap. */
export async function forgetResolver(
  namespace: NetworkNamespace,
  tap: string,
  resolver: Resolver,
): Promise<void> {
  const lines = buildTranslation('-D', tap, resolver);
  await runInNamespace({ ...namespace, argv: ['iptables-restore', '--noflush'], lines });
}

/** Docker's own rules are for packets that begin in the namespace, which these do not. */
function buildTranslation(
  action: '-A' | '-D',
  tap: string,
  { udpPort, tcpPort }: Resolver,
): string[] {
  const rules = Object.entries({ udp: udpPort, tcp: tcpPort }).flatMap(([protocol, port]) => {
    if (port === undefined) return [];
    const match = `-i ${tap} -d ${RESOLVER_ADDRESS}/32 -p ${protocol} --dport ${DNS_PORT}`;
    return [`${action} PREROUTING ${match} -j DNAT --to-destination ${RESOLVER_ADDRESS}:${port}`];
  });
  return ['*nat', ...rules, 'COMMIT'];
}
