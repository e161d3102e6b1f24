import { readFileSync } from 'node:fs';

/** Where Docker answers the names of user-defined networks, in each container's own namespace. */
export const RESOLVER_ADDRESS = '127.0.0.11';

/** The same in /proc/net/udp: a number of the machine's byte order (proc(5)). */
const RESOLVER_HEX = '0B00007F';
const TCP_LISTEN = '0A';

/** The ports behind the resolver's address; Docker's own rules lead there from port 53. */
export interface Resolver {
  readonly udpPort?: number;
  readonly tcpPort?: number;
}

/** Finds a resolver that serves the loopback of a process's network namespace; undefined: there is none. */
export function findResolver(processId: number): Resolver | undefined {
  const read = (name: string) => readFileSync(`/proc/${processId}/net/${name}`, 'utf8');
  const udpPort = findPort(read('udp'));
  const tcpPort = findPort(read('tcp'), TCP_LISTEN);
  if (udpPort === undefined && tcpPort === undefined) return undefined;
  return { ...(udpPort !== undefined && { udpPort }), ...(tcpPort !== undefined && { tcpPort }) };
}

/** Lines are "sl: ADDRESS:PORT REMOTE STATE ..." in hexadecimal digits. */
function findPort(table: string, wantedState?: string): number | undefined {
  for (const line of table.split('\n')) {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [address, port = ''] = local.split(':');
    if (address !== RESOLVER_HEX || (wantedState ?? state) !== state) continue;
    return Number.parseInt(port, 16);
  }
  return undefined;
}
