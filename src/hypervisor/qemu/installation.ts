import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { captureCommand } from '../../host/spawn.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';

/** A QEMU that was found on this host. */
export interface QemuInstallation {
  readonly path: string;
  /** First line of `--version`. */
  readonly version: string;
  /** Changes whenever another build stands at that path. */
  readonly fingerprint: string;
  /** Machines can be forked from a stem: a patch of ours (guest/qemu/patches), which says so. */
  readonly hasStems: boolean;
}

const CANDIDATES = ['/usr/bin/qemu-system-x86_64', '/usr/local/bin/qemu-system-x86_64'];
const VERSION_LIMITS = { timeoutMs: 10_000, maxOutputBytes: 4096 };
/** What `--version` says beneath its first line. */
const STEMS = 'Machines can be forked from a stem.';
const INSTALL_HINT = 'apt-get install --no-install-recommends qemu-system-x86';

/** Looks for QEMU at the given path, or where distributions put it. */
export async function findQemu(wantedPath?: string): Promise<QemuInstallation> {
  for (const candidate of wantedPath === undefined ? CANDIDATES : [wantedPath]) {
    const found = await inspect(candidate);
    if (found !== undefined) return found;
  }
  throw new WardianError(
    'HYPERVISOR_MISSING',
    `${wantedPath ?? 'qemu-system-x86_64'} is not installed`,
    {
      hint: INSTALL_HINT,
    },
  );
}

async function inspect(candidate: string): Promise<QemuInstallation | undefined> {
  try {
    const file = await realpath(candidate);
    const { size, mtimeMs } = await stat(file);
    const { stdout } = await captureCommand(file, ['--version'], VERSION_LIMITS);
    const version = stdout.split('\n', 1)[0] ?? '';
    const fingerprint = createHash('sha256')
      .update(`${file}\0${size}\0${mtimeMs}\0${version}`)
      .digest('hex');
    return { path: file, version, fingerprint, hasStems: stdout.includes(STEMS) };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw new WardianError('HYPERVISOR_FAILED', `${candidate} does not tell its version`, {
      cause: error,
    });
  }
}
