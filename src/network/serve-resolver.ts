import type { NetworkConfig, NetworkInterface } from '../machine/network-config.ts';
import type { Cleanup } from '../util/cleanup.ts';
import { RESOLVER_ADDRESS, type Resolver } from './find-resolver.ts';
import { type NetworkNamespace, runInNamespace } from './run-in-namespace.ts';
import { DEVICE_ADDRESS } from './wiring.ts';

/** Of the guest, on the wire to the host alone: link-local, and neither Calico's nor a cloud's. */
const GUEST_ADDRESS = '169.254.254.2';
const DNS_PORT = 53;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
/** linux/rtnetlink.h, linux/neighbour.h */
const RT_TABLE_LOCAL = 255;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const NUD_PERMANENT = 0x80;

/**
 * What the resolver asks others for leaves by the guest's interface, with ports that guests do not choose by themselves:
 * by them its answers are told from the guest's. The range is that of the mask below.
 */
const OWN_PORTS = '61440 65535';
const OWN_PORTS_MATCH = '0xf000 0xf000';
/** arp_ignore: the guest has the address, and answers for it. */
const ANSWER_NOBODY = '8';

interface Serving {
  readonly resolver: Resolver;
  readonly cleanup: Cleanup;
}

/**
 * Lets the guest reach a resolver on the loopback of the namespace under the same address. What it sends there is
 * not turned round to the interface, but goes up to the namespace's own stack, and on to the port that the resolver has.
 */
export async function serveResolver(
  namespace: NetworkNamespace,
  interfaces: readonly NetworkInterface[],
  { resolver, cleanup }: Serving,
): Promise<void> {
  const [first] = interfaces;
  if (first === undefined) return;
  const { namespacePath } = namespace;
  const tap = first.backend.name;
  const run = (argv: readonly string[], lines: readonly string[]) =>
    runInNamespace({ ...namespace, argv, lines });
  const set = (name: string, value: string) => run(['tee', `/proc/sys/net/ipv4/${name}`], [value]);
  await Promise.all([
    set(`conf/${tap}/route_localnet`, '1'),
    set('ip_local_port_range', OWN_PORTS),
    ...interfaces.map(({ name }) => set(`conf/${name}/arp_ignore`, ANSWER_NOBODY)),
    run(['ip', '-batch', '-'], buildWayBack(tap, first.macAddress)),
    run(['tc', '-batch', '-'], [buildWayUp(tap), ...interfaces.flatMap(buildWayIn)]),
  ]);
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

/** The answers that the resolver waits for, and what it takes to find its gateway, which the guest sees, too. */
function buildWayIn({ name, backend }: NetworkInterface): string[] {
  const filter = `filter add dev ${name} parent ffff:`;
  const ports = `match ip sport ${DNS_PORT} 0xffff match ip dport ${OWN_PORTS_MATCH}`;
  return [
    `${filter} protocol arp prio 4 u32 match u32 0 0 action mirred egress mirror dev ${backend.name}`,
    ...[IPPROTO_UDP, IPPROTO_TCP].map(
      (protocol) =>
        `${filter} protocol ip prio 5 u32 match ip protocol ${protocol} 0xff ${ports} classid 1:1`,
    ),
  ];
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
