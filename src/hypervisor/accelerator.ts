import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { readJsonFile, writeFileAtomic } from '../host/files.ts';
import { getOwnIdentity } from '../host/process-identity.ts';
import { WardianError } from '../util/errors.ts';
import type { Accelerator } from './driver.ts';
import type { AcceleratorChoice } from './driver-options.ts';

const FILE_NAME = 'accelerator.json';
const MAX_FILE_BYTES = 64 * 1024;

export interface AcceleratorQuestion {
  /** What the user insists on; absent or empty: whatever works. */
  readonly requested: string | undefined;
  readonly cacheDirectory: string;
  /** The answer holds for one build of the VMM and one boot of the host. */
  readonly vmmFingerprint: string;
  /** Runs a guest under KVM; undefined when it ran, else what went wrong. */
  readonly probe: () => Promise<string | undefined>;
  /** Where the host tells its CPU's features and offers KVM; tests have others. */
  readonly host?: { readonly cpuInfoPath: string; readonly kvmPath: string };
}

const HOST = { cpuInfoPath: '/proc/cpuinfo', kvmPath: '/dev/kvm' };

/** Chooses by proof: /dev/kvm may open on a host that cannot run a guest with it. */
export async function chooseAccelerator(question: AcceleratorQuestion): Promise<AcceleratorChoice> {
  const requested = parseRequest(question.requested);
  if (requested === 'tcg') return { accelerator: 'tcg', reason: 'WARDIAN_ACCEL asks for tcg' };
  const obstacle = await findObstacle(question);
  if (obstacle === undefined) {
    return { accelerator: 'kvm', reason: 'KVM works: a probe guest ran' };
  }
  if (requested === 'kvm') {
    throw new WardianError('ACCELERATOR_UNUSABLE', `KVM does not work here: ${obstacle}`, {
      hint: 'unset WARDIAN_ACCEL to let guests run without it',
    });
  }
  return { accelerator: 'tcg', reason: `KVM does not work here: ${obstacle}` };
}

function parseRequest(requested: string | undefined): Accelerator | undefined {
  if (requested === undefined || requested === '') return undefined;
  if (requested === 'kvm' || requested === 'tcg') return requested;
  throw new WardianError('CONFIG_INVALID', `WARDIAN_ACCEL is ${JSON.stringify(requested)}`, {
    hint: 'it may be kvm or tcg',
  });
}

/** Cheap signs first; the guest runs only where they are good, and once for each boot and VMM. */
async function findObstacle(question: AcceleratorQuestion): Promise<string | undefined> {
  const { cpuInfoPath, kvmPath } = question.host ?? HOST;
  const flags =
    /^flags\s*:(.*)$/m.exec(await readFile(cpuInfoPath, 'latin1'))?.[1]?.split(' ') ?? [];
  if (!flags.includes('vmx') && !flags.includes('svm')) {
    return 'this CPU, or the machine around it, offers no hardware virtualisation (vmx or svm)';
  }
  try {
    await access(kvmPath, constants.R_OK | constants.W_OK);
  } catch {
    return `${kvmPath} is not there or not for this user`;
  }
  return await probeOnce(question);
}

/** What the probe of each VMM said, by its fingerprint; empty when the guest ran. */
interface CachedProofs {
  readonly version: 2;
  readonly bootId: string;
  readonly obstacles: Readonly<Record<string, string>>;
}

async function probeOnce(question: AcceleratorQuestion): Promise<string | undefined> {
  const { cacheDirectory, vmmFingerprint, probe } = question;
  const filePath = path.join(cacheDirectory, FILE_NAME);
  const { bootId } = getOwnIdentity();
  const known = await readProofs(filePath, bootId);
  const proved = Object.hasOwn(known, vmmFingerprint) ? known[vmmFingerprint] : undefined;
  if (proved !== undefined) return proved || undefined;
  const obstacle = await probe();
  await mkdir(cacheDirectory, { recursive: true });
  const obstacles = { ...known, [vmmFingerprint]: obstacle ?? '' };
  const proofs: CachedProofs = { version: 2, bootId, obstacles };
  await writeFileAtomic(filePath, JSON.stringify(proofs));
  return obstacle;
}

/** Those of this boot of the host; with another kernel or firmware all may be different. */
async function readProofs(filePath: string, bootId: string): Promise<CachedProofs['obstacles']> {
  try {
    const proofs = (await readJsonFile(filePath, MAX_FILE_BYTES)) as Partial<CachedProofs>;
    const { version, obstacles } = proofs;
    const isValid = version === 2 && proofs.bootId === bootId && typeof obstacles === 'object';
    const entries = isValid ? Object.entries(obstacles ?? {}) : [];
    return Object.fromEntries(entries.filter(([, obstacle]) => typeof obstacle === 'string'));
  } catch {
    return {}; // absent or damaged: proved anew and replaced
  }
}
