import type { GuestRlimit } from '../guest-operations.ts';
import type { ProcessRlimit } from '../runtime-spec/types.ts';
import { invalid } from './unsupported.ts';

/** asm-generic/resource.h: the index is the number. */
const RESOURCES = [
  ...['CPU', 'FSIZE', 'DATA', 'STACK', 'CORE', 'RSS', 'NPROC', 'NOFILE', 'MEMLOCK', 'AS', 'LOCKS'],
  ...['SIGPENDING', 'MSGQUEUE', 'NICE', 'RTPRIO', 'RTTIME'],
].map((name) => `RLIMIT_${name}`);

export function translateRlimits(rlimits: readonly ProcessRlimit[]): GuestRlimit[] {
  const seen = new Set<number>();
  return rlimits.map(({ type, soft, hard }, index) => {
    const path = `process.rlimits[${index}]`;
    const resource = RESOURCES.indexOf(type);
    if (resource < 0) throw invalid(`${path}.type`, `is "${type}", not a resource limit of Linux`);
    if (seen.has(resource)) throw invalid(`${path}.type`, `names "${type}" a second time`);
    if (soft > hard) throw invalid(`${path}.soft`, `is ${soft}, above the hard limit ${hard}`);
    seen.add(resource);
    return { resource, soft, hard };
  });
}
