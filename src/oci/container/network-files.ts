import type { GuestFile } from '../guest-operations.ts';
import { containerHostname } from './build-spec.ts';
import type { ContainerRequest } from './container-input.ts';

/** How a container reaches others; absent parts are left out. */
export interface NetworkIdentity {
  /** The container's own address; absent without a network. */
  address?: string;
  nameservers: readonly string[];
  searchDomains: readonly string[];
}

export const NO_NETWORK: NetworkIdentity = { nameservers: [], searchDomains: [] };

const WORLD_READABLE = 0o644;

/**
 * The files that engines put into every container: names and name servers, and podman's mark
 * by which programs see that they are contained.
 */
export function networkFiles(
  request: Pick<ContainerRequest, 'id' | 'name' | 'hostname'>,
  network: NetworkIdentity,
): GuestFile[] {
  const hostname = containerHostname(request);
  return [
    file('/etc/hosts', hosts(hostname, request.name, network)),
    file('/etc/hostname', `${hostname}\n`),
    file('/etc/resolv.conf', resolverConfiguration(network)),
    file('/run/.containerenv', ''),
  ];
}

function hosts(hostname: string, name: string | undefined, { address }: NetworkIdentity): string {
  const own = [...new Set([hostname, ...(name === undefined ? [] : [name])])].join(' ');
  return [
    '127.0.0.1\tlocalhost localhost.localdomain',
    '::1\tlocalhost localhost.localdomain',
    `${address ?? '127.0.0.1'}\t${own}`,
    '',
  ].join('\n');
}

function resolverConfiguration({ nameservers, searchDomains }: NetworkIdentity): string {
  const search = searchDomains.length === 0 ? [] : [`search ${searchDomains.join(' ')}`];
  const servers = nameservers.map((server) => `nameserver ${server}`);
  return [...search, ...servers].map((line) => `${line}\n`).join('');
}

function file(path: string, text: string): GuestFile {
  const content = new TextEncoder().encode(text);
  return { path, content, mode: WORLD_READABLE, uid: 0, gid: 0 };
}
