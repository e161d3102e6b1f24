import {
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GuestManifest, listGuestFiles } from '../../scripts/setup/guest.ts';
import { findDirectories } from '../../src/host/directories.ts';
import { TestHost } from './test-host.ts';

/** Nobody's: neither Debian nor systemd gives such a number to anybody. */
const FREE_UID = 60_999;

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

/**
 * Someone who is not root: whoever runs the tests, or for root somebody else. The home has the build and the guest's
 * files, copied from where only root may be able to read them, and no template yet.
 */
export class UnprivilegedUser {
  readonly uid: number;
  readonly home = mkdtempSync('/tmp/wardian-test-home-');
  readonly host: TestHost;

  constructor() {
    const ownUid = process.getuid?.() ?? -1;
    this.uid = ownUid === 0 ? FREE_UID : ownUid;
    cpSync(DIST, this.#dist, { recursive: true });
    this.#copyGuest(findDirectories(process.env, ownUid).cache);
    const environment = { HOME: this.home, XDG_CACHE_HOME: '', WARDIAN_CACHE_DIR: '' };
    this.host = new TestHost(environment, { uid: this.uid, path: `${this.#dist}/wardian.cjs` });
    for (const folder of [this.home, this.#cache, `${this.#cache}/wardian`, this.host.directory]) {
      chownSync(folder, this.uid, this.uid);
    }
  }

  get launcherPath(): string {
    return path.join(this.#dist, 'launcher');
  }

  async close(): Promise<void> {
    try {
      await this.host.close();
    } finally {
      rmSync(this.home, { recursive: true });
    }
  }

  get #dist(): string {
    return path.join(this.home, 'dist');
  }

  get #cache(): string {
    return path.join(this.home, '.cache');
  }

  /** Copies what the manifest names; the rest of a cache may be gigabytes. */
  #copyGuest(cache: string): void {
    const source = path.join(cache, 'guest');
    const target = path.join(this.#cache, 'wardian/guest');
    mkdirSync(target, { recursive: true });
    const manifest = readFileSync(path.join(source, 'manifest.json'), 'utf8');
    for (const file of listGuestFiles(JSON.parse(manifest) as GuestManifest)) {
      cpSync(file, path.join(target, path.relative(source, file)));
    }
    writeFileSync(path.join(target, 'manifest.json'), manifest.replaceAll(source, target));
  }
}
