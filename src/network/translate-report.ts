import type {
  NetworkAddress,
  NetworkConfig,
  NetworkInterface,
  NetworkNeighbour,
  NetworkRoute,
  NetworkSetting,
} from '../machine/network-config.ts';
import { WardianError } from '../util/errors.ts';
import type { IpAddress, IpLink, IpReport, IpRoute } from './ip-output.ts';
import { isOwnDevice } from './own-device.ts';

/** linux/rtnetlink.h, linux/neighbour.h */
const RTN_UNICAST = 1;
const RT_TABLE_MAIN = '254';
const RTPROT = { kernel: '2', routerAdvertisement: '9' };
const RT_SCOPE_LINK = 253;
const RTNH_F_ONLINK = 4;
const NUD_PERMANENT = 0x80;
/** The largest that a tap can have: 65535 less an Ethernet header. */
const MOST_TAP_MTU = 65_521;

/** An interface of a namespace that goes to the guest. */
export type FoundInterface = Omit<NetworkInterface, 'backend'> & {
  /** It is a tap that nobody serves: the machine takes it as it is. */
  readonly isFreeTap: boolean;
};

export interface FoundNetwork extends Omit<NetworkConfig, 'interfaces'> {
  readonly interfaces: readonly FoundInterface[];
  /** Devices that a machine of ours has left behind. */
  readonly leftovers: readonly string[];
}

/** What of a namespace becomes the guest's; throws NETWORK_UNSUPPORTED for what it could only have otherwise. */
export function translateReport(report: IpReport): FoundNetwork {
  const own = report.links.filter(({ ifname }) => isOwnDevice(ifname));
  for (const link of own) refuseSecondMachine(link);
  const links = report.links.filter((link) => !own.includes(link) && isWanted(link));
  const names = new Set(links.map(({ ifname }) => ifname));
  return {
    interfaces: links.map(translateLink),
    routes: [...links.flatMap(routesToPeers), ...translateRoutes(report.routes, names)],
    neighbours: report.neighbours.flatMap(({ dst, dev, lladdr }): NetworkNeighbour[] =>
      lladdr === undefined || !names.has(dev)
        ? []
        : [{ address: dst, macAddress: lladdr, device: dev, state: NUD_PERMANENT }],
    ),
    leftovers: own.map(({ ifname }) => ifname),
  };
}

function refuseSecondMachine({ ifname, flags }: IpLink): void {
  if (!flags.includes('LOWER_UP')) return;
  throw new WardianError(
    'NETWORK_UNSUPPORTED',
    `another virtual machine is connected to this network namespace already, by ${ifname}`,
    { hint: 'put the containers into one pod, or give this one a network of its own' },
  );
}

/** The base devices of tunnels are in every namespace, down and without an address. */
function isWanted({ flags, addr_info, ifname, link_type, linkinfo }: IpLink): boolean {
  if (flags.includes('LOOPBACK') || !flags.includes('UP')) return false;
  const isEthernet = link_type === 'ether' || link_type === '[1]';
  const kind = linkinfo?.info_kind ?? 'device';
  const { mode = 'l2' } = linkinfo?.info_data ?? {};
  if (isEthernet && !(kind === 'ipvlan' && mode !== 'l2')) return true;
  if (addr_info.every(isLinkLocal)) return false;
  throw new WardianError(
    'NETWORK_UNSUPPORTED',
    `the network interface ${ifname} (${kind}${kind === 'ipvlan' ? ` in mode ${mode}` : ''}) carries no Ethernet frames, which a virtual machine's network device needs`,
    { hint: 'use a bridge, macvlan, or ipvlan in mode l2' },
  );
}

function translateLink(link: IpLink): FoundInterface {
  const { ifname: name, flags, mtu, linkinfo, address = '' } = link;
  const isFreeTap = linkinfo?.info_kind === 'tun' && !flags.includes('LOWER_UP');
  return {
    name,
    macAddress: isFreeTap ? otherEndOf(address) : address,
    mtuBytes: Math.min(mtu, MOST_TAP_MTU),
    addresses: link.addr_info.filter(isGiven).map(translateAddress),
    settings: chooseSettings(link.addr_info),
    isFreeTap,
  };
}

/** The address of a tap is that of its host's end; the guest's has to be another one, and always the same. */
function otherEndOf(macAddress: string): string {
  const bytes = macAddress.split(':').map((byte) => Number.parseInt(byte, 16));
  const changed = bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
  return changed.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function isLinkLocal({ family, scope }: IpAddress): boolean {
  return family === 'inet6' && Number(scope) === RT_SCOPE_LINK;
}

/** The guest makes its link-local address of the same MAC address, and asks routers itself where the host did. */
function isGiven(address: IpAddress): boolean {
  return !isLinkLocal(address) && !(address.family === 'inet6' && address.dynamic === true);
}

function translateAddress(address: IpAddress): NetworkAddress {
  const { local, address: peer, prefixlen, broadcast, scope, family } = address;
  return {
    address: local,
    prefixLength: peer === undefined ? prefixlen : hostPrefix(family),
    ...(broadcast === undefined ? {} : { broadcast }),
    scope: Number(scope),
  };
}

function hostPrefix(family: string): number {
  return family === 'inet6' ? 128 : 32;
}

/** Addresses that were given have been checked for duplicates by the host, and what routers say does not change them. */
function chooseSettings(addresses: readonly IpAddress[]): NetworkSetting[] {
  const own = addresses.filter(({ family }) => family === 'inet6');
  if (own.length === 0) return [{ family: 'ipv6', name: 'disable_ipv6', value: 1 }];
  return [
    { family: 'ipv6', name: 'accept_dad', value: 0 },
    ...(own.some(isGiven) ? [{ family: 'ipv6', name: 'accept_ra', value: 0 } as const] : []),
  ];
}

/** A point-to-point address is an address and a way to the other end. */
function routesToPeers({ ifname: device, addr_info }: IpLink): NetworkRoute[] {
  return addr_info.filter(isGiven).flatMap(({ address: peer, ...rest }): NetworkRoute[] => {
    if (peer === undefined) return [];
    const family = rest.family === 'inet6' ? 'inet6' : 'inet';
    const target = { family, destination: peer, prefixLength: rest.prefixlen, device } as const;
    const how = { metric: 0, scope: RT_SCOPE_LINK, type: RTN_UNICAST, flags: 0 };
    return [{ ...target, source: rest.local, ...how }];
  });
}

/** Routes without a gateway first: gateways are found by them. */
function translateRoutes(routes: readonly IpRoute[], devices: ReadonlySet<string>): NetworkRoute[] {
  const found = routes.filter((route) => isMoved(route, devices)).map(translateRoute);
  const isDirect = ({ gateway }: NetworkRoute) => gateway === undefined;
  return [...found.filter(isDirect), ...found.filter((route) => !isDirect(route))];
}

/** What the kernel adds to an address, and routers to the network, the guest gets by itself. */
function isMoved(route: IpRoute, devices: ReadonlySet<string>): boolean {
  const { protocol, table = RT_TABLE_MAIN, dev } = route;
  if (table !== RT_TABLE_MAIN) return false;
  if (protocol === RTPROT.kernel || protocol === RTPROT.routerAdvertisement) return false;
  if (route.nexthops !== undefined || route.via !== undefined || route.encap !== undefined) {
    throw new WardianError(
      'NETWORK_UNSUPPORTED',
      `the route to ${route.dst} has ${route.nexthops === undefined ? 'a gateway of another kind' : 'several gateways'}, which a guest is not given`,
      { hint: 'use a route with one gateway of its own address family' },
    );
  }
  return dev === undefined || dev === 'lo' ? Number(route.type) !== RTN_UNICAST : devices.has(dev);
}

function translateRoute(route: IpRoute): NetworkRoute {
  const { dst, gateway, prefsrc, dev, metric = 0, metrics, scope, type, flags } = route;
  const isIpv6 = route.pref !== undefined || dst.includes(':') || gateway?.includes(':') === true;
  const family = isIpv6 ? 'inet6' : 'inet';
  const [destination, prefix = hostPrefix(family)] = dst.split('/');
  const mtuBytes = metrics?.find(({ mtu }) => mtu !== undefined)?.mtu;
  return {
    family,
    ...(dst === 'default' ? {} : { destination: destination as string }),
    prefixLength: dst === 'default' ? 0 : Number(prefix),
    ...(gateway === undefined ? {} : { gateway }),
    ...(prefsrc === undefined ? {} : { source: prefsrc }),
    device: dev === undefined || dev === 'lo' ? '' : dev,
    metric,
    scope: Number(scope),
    type: Number(type),
    flags: flags.includes('onlink') ? RTNH_F_ONLINK : 0,
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
  };
}
