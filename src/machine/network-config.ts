/**
 * The network that a sandbox takes over from a network namespace of the host, as data: where packets come from, and
 * what the guest is told. Addresses are texts as ip(8) prints them.
 */
export interface NetworkConfig {
  /** In the order in which the guest meets its devices. */
  readonly interfaces: readonly NetworkInterface[];
  /** In the order in which they are made: a gateway's own route before those that need it. */
  readonly routes: readonly NetworkRoute[];
  readonly neighbours: readonly NetworkNeighbour[];
}

export interface NetworkInterface {
  /** In the namespace and in the guest: "eth0". */
  readonly name: string;
  readonly macAddress: string;
  readonly mtuBytes: number;
  readonly addresses: readonly NetworkAddress[];
  /** How the guest treats it, beyond its kernel's defaults. */
  readonly settings: readonly NetworkSetting[];
  readonly backend: TapBackend;
}

/** A file below /proc/sys/net/FAMILY/conf/INTERFACE in the guest. */
export interface NetworkSetting {
  readonly family: 'ipv4' | 'ipv6';
  /** "accept_ra" */
  readonly name: string;
  readonly value: number;
}

/** How packets come from an interface to its tap: turned round by tc, or by a macvtap on top of it. */
export type NetworkModel = 'tcfilter' | 'macvtap';

/** A tap device in a network namespace of the host, which the VMM is given open. */
export interface TapBackend {
  readonly kind: 'tap' | 'macvtap';
  /** The namespace: a path that setns(2) takes, such as /proc/PID/ns/net. */
  readonly namespacePath: string;
  readonly name: string;
  /** Of a macvtap: its device file has this number. */
  readonly index?: number;
}

export interface NetworkAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly broadcast?: string;
  /** RT_SCOPE_* of rtnetlink(7). */
  readonly scope: number;
}

export interface NetworkRoute {
  readonly family: 'inet' | 'inet6';
  /** Absent: the default route. */
  readonly destination?: string;
  readonly prefixLength: number;
  readonly gateway?: string;
  readonly source?: string;
  /** Empty for one that leads nowhere (blackhole, unreachable, prohibit). */
  readonly device: string;
  readonly metric: number;
  readonly scope: number;
  /** RTN_* of rtnetlink(7). */
  readonly type: number;
  /** RTNH_F_* of rtnetlink(7). */
  readonly flags: number;
  readonly mtuBytes?: number;
  /** RT_TABLE_* of rtnetlink(7); absent: the main table. */
  readonly table?: number;
}

export interface NetworkNeighbour {
  readonly address: string;
  readonly macAddress: string;
  readonly device: string;
  /** NUD_* of rtnetlink(7). */
  readonly state: number;
}
