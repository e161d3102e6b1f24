import { deviceName } from './own-device.ts';
import type { FoundInterface } from './translate-report.ts';

/** Of our taps' own ends, which are alone with their guests; locally administered. */
export const DEVICE_ADDRESS = 'fe:00:00:00:00:01';

/** Lines for `ip -batch`: a macvtap on top of each interface, from which it takes everything, with its address. */
export function buildMacvtaps(interfaces: readonly FoundInterface[]): string[] {
  return interfaces.flatMap(({ isFreeTap, name: below, mtuBytes }, place) => {
    if (isFreeTap) return [];
    const name = deviceName(place);
    return [
      `link add link ${below} name ${name} type macvtap mode passthru`,
      `link set dev ${name} addrgenmode none`,
      `link set dev ${name} mtu ${mtuBytes} arp off multicast off up`,
    ];
  });
}

/** Lines for `ip -batch`: a tap for each interface, with which the namespace's own stack has nothing to do. */
export function buildTaps(interfaces: readonly FoundInterface[]): string[] {
  return interfaces.flatMap(({ isFreeTap, mtuBytes }, place) => {
    if (isFreeTap) return [];
    const name = deviceName(place);
    return [
      `tuntap add dev ${name} mode tap`,
      `link set dev ${name} address ${DEVICE_ADDRESS}`,
      // Without an address of its own, not even a link-local one, the host sends nothing into it.
      `link set dev ${name} addrgenmode none`,
      `link set dev ${name} mtu ${mtuBytes} arp off multicast off up`,
    ];
  });
}

/**
 * Lines for `tc -batch`: what comes in at one end goes out at the other, before the namespace's stack has seen it
 * (tc-mirred(8)). The filter is the one that every kernel has.
 */
export function buildRedirects(interfaces: readonly FoundInterface[]): string[] {
  return interfaces.flatMap(({ isFreeTap, name }, place) => {
    if (isFreeTap) return [];
    const tap = deviceName(place);
    return [
      `qdisc add dev ${name} ingress`,
      `qdisc add dev ${tap} ingress`,
      buildRedirect(name, tap),
      buildRedirect(tap, name),
    ];
  });
}

function buildRedirect(from: string, to: string): string {
  return `filter add dev ${from} parent ffff: protocol all prio 10 u32 match u32 0 0 action mirred egress redirect dev ${to}`;
}

/** What takes back what these lines did, for the same program. */
export function buildUndo(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [, object, name] = /^(tuntap|qdisc) add dev (\S+)/.exec(line) ?? [];
    const [, macvtap] = /^link add link \S+ name (\S+)/.exec(line) ?? [];
    if (macvtap !== undefined) return [`link del dev ${macvtap}`];
    if (object === 'tuntap') return [`link del dev ${name}`];
    return object === 'qdisc' ? [`qdisc del dev ${name} ingress`] : [];
  });
}
