import { WardianError } from '../util/errors.ts';

/** What `ip -N -json -details` says of a link and its addresses, as far as it matters here. */
export interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  /** "ether", or its number in brackets. */
  readonly link_type: string;
  readonly address?: string;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly type?: string; readonly mode?: string };
  };
  readonly addr_info: readonly IpAddress[];
}

export interface IpAddress {
  readonly family: string;
  readonly local: string;
  /** The other end of a point-to-point address. */
  readonly address?: string;
  readonly prefixlen: number;
  readonly broadcast?: string;
  readonly scope: string;
  /** It came by a router's advertisement or a server, and lasts as long as that says. */
  readonly dynamic?: boolean;
}

export interface IpRoute {
  readonly type: string;
  readonly dst: string;
  readonly gateway?: string;
  /** A gateway of the other family. */
  readonly via?: unknown;
  readonly nexthops?: readonly unknown[];
  readonly encap?: unknown;
  readonly dev?: string;
  readonly table?: string;
  readonly protocol: string;
  readonly scope: string;
  readonly prefsrc?: string;
  readonly metric?: number;
  readonly metrics?: readonly { readonly mtu?: number }[];
  readonly flags: readonly string[];
  /** Only routes of IPv6 have one. */
  readonly pref?: string;
}

export interface IpNeighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
}

export interface IpReport {
  readonly links: readonly IpLink[];
  readonly routes: readonly IpRoute[];
  readonly neighbours: readonly IpNeighbour[];
}

/** For one `ip -N -json -details -batch -`: a line of output each. */
export const REPORT_COMMANDS = [
  'addr show',
  'route show table all',
  'neigh show nud permanent',
] as const;

/** Reads what those commands print. */
export function parseIpReport(output: string): IpReport {
  const [links, routes, neighbours] = splitReports(output);
  return {
    links: parseList<IpLink>(links, 'links'),
    routes: parseList<IpRoute>(routes, 'routes'),
    neighbours: parseList<IpNeighbour>(neighbours, 'neighbours'),
  };
}

/** Where there is nothing to tell, ip prints "[ ]" or "[]". */
function splitReports(output: string): string[] {
  return output.split('\n').filter((line) => line.trim() !== '');
}

function parseList<T>(text: string | undefined, what: string): T[] {
  try {
    const list: unknown = JSON.parse(text ?? '');
    // An address that was deleted while ip looked leaves an empty object behind.
    if (Array.isArray(list)) return list.filter((item) => Object.keys(item as object).length > 0);
  } catch {} // told below, as what is no list
  throw new WardianError('NETWORK_FAILED', `ip -json did not answer with a list of ${what}`);
}
