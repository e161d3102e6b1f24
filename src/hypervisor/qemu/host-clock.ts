import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { readJsonFile, writeFileAtomic } from '../../host/files.ts';
import { measureTscKhz } from '../../host/launcher.ts';
import { getOwnIdentity } from '../../host/process-identity.ts';

const FILE_NAME = 'host-clock.json';
const MAX_FILE_BYTES = 1024;
/** Two measurements closer than this are of one clock: templates made with the first stay good. */
const TOLERANCE = 100e-6;

interface HostClock {
  readonly version: 1;
  readonly bootId: string;
  readonly tscKhz: number;
}

/** Frequency of this host's time stamp counter; measured once a boot, since nothing tells it. */
export async function loadTscKhz(launcherPath: string, cacheDirectory: string): Promise<number> {
  const filePath = path.join(cacheDirectory, FILE_NAME);
  const { bootId } = getOwnIdentity();
  const known = await readClock(filePath);
  if (known?.bootId === bootId) return known.tscKhz;
  const measured = await measureTscKhz(launcherPath);
  const isSame = known !== undefined && Math.abs(measured / known.tscKhz - 1) < TOLERANCE;
  const clock: HostClock = { version: 1, bootId, tscKhz: isSame ? known.tscKhz : measured };
  await mkdir(cacheDirectory, { recursive: true });
  await writeFileAtomic(filePath, JSON.stringify(clock));
  return clock.tscKhz;
}

async function readClock(filePath: string): Promise<HostClock | undefined> {
  try {
    const clock = (await readJsonFile(filePath, MAX_FILE_BYTES)) as Partial<HostClock>;
    const isValid =
      clock.version === 1 && Number.isSafeInteger(clock.tscKhz) && (clock.tscKhz ?? 0) > 0;
    return isValid ? (clock as HostClock) : undefined;
  } catch {
    return undefined; // absent or damaged: measured anew and replaced
  }
}
