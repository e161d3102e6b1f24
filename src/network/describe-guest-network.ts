import type {
  NetworkConfig,
  NetworkInterface,
  NetworkNeighbour,
  NetworkRoute,
} from '../machine/network-config.ts';
import { parseIpAddress, parseMacAddress } from './ip-address.ts';

const ADDRESS_FAMILY = { inet: 2, inet6: 10 } as const; // AF_* of socket(2)

/** What the agent is asked to do, as protocol/agent.proto has it. */
export interface GuestNetwork {
  /** For Personalize: who the interfaces are. */
  readonly interfaces: { name: string; mac: Uint8Array }[];
  /** For ConfigureNetwork, afterwards: what they are for. */
  readonly configuration: {
    interfaces: ReturnType<typeof describeInterface>[];
    routes: ReturnType<typeof describeRoute>[];
    neighbours: ReturnType<typeof describeNeighbour>[];
  };
}

/** What makes a guest's network the one that was found in a namespace of the host. */
export function describeGuestNetwork(network: NetworkConfig): GuestNetwork {
  return {
    interfaces: network.interfaces.map(({ name, macAddress }) => ({
      name,
      mac: parseMacAddress(macAddress),
    })),
    configuration: {
      interfaces: network.interfaces.map(describeInterface),
      routes: network.routes.map(describeRoute),
      neighbours: network.neighbours.map(describeNeighbour),
    },
  };
}

function describeInterface({ name, mtuBytes, addresses, settings }: NetworkInterface) {
  return {
    name,
    mtu: mtuBytes,
    addresses: addresses.map(({ address, prefixLength, broadcast, scope }) => ({
      ip: parseIpAddress(address),
      prefixLength,
      ...(broadcast === undefined ? {} : { broadcast: parseIpAddress(broadcast) }),
      scope,
    })),
    settings: settings.map(({ family, name: key, value }) => ({
      key: `${family}/${key}`,
      value: String(value),
    })),
  };
}

function describeRoute(route: NetworkRoute) {
  const { destination, gateway, source, mtuBytes: mtu, table } = route;
  return {
    family: ADDRESS_FAMILY[route.family],
    ...(destination === undefined ? {} : { destination: parseIpAddress(destination) }),
    prefixLength: route.prefixLength,
    ...(gateway === undefined ? {} : { gateway: parseIpAddress(gateway) }),
    ...(source === undefined ? {} : { source: parseIpAddress(source) }),
    device: route.device,
    metric: route.metric,
    scope: route.scope,
    type: route.type,
    flags: route.flags,
    ...(mtu === undefined ? {} : { mtu }),
    ...(table === undefined ? {} : { table }),
  };
}

function describeNeighbour({ address, macAddress, device, state }: NetworkNeighbour) {
  return { ip: parseIpAddress(address), mac: parseMacAddress(macAddress), device, state };
}
