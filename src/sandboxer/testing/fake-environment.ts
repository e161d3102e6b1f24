import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasErrno } from '../../util/errors.ts';
import type { ClientOptions } from '../client.ts';

export interface FakeEnvironment {
  readonly folder: string;
  readonly options: ClientOptions;
  /** What a file beside the fake sandboxer's socket says; empty when there is none. */
  read(name: string): string;
  /** Ends the fake sandboxer that runs, and removes the folder. */
  close(): void;
}

const FAKE_PATH = fileURLToPath(new URL('./fake-sandboxer.ts', import.meta.url));

/** A folder in which clients find, or start, the fake sandboxer. */
export function createFakeEnvironment(variables: Record<string, string> = {}): FakeEnvironment {
  const folder = mkdtempSync(path.join(tmpdir(), 'wardian-fake-'));
  const read = (name: string): string => {
    try {
      return readFileSync(path.join(folder, name), 'utf8');
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return '';
      throw error;
    }
  };
  const loader = new URL(import.meta.resolve('tsx')).href;
  return {
    folder,
    read,
    options: {
      directories: { runtime: folder, cache: folder, data: folder },
      version: '0.1.0',
      sandboxerPath: FAKE_PATH,
      environment: { ...process.env, NODE_OPTIONS: `--import ${loader}`, ...variables },
    },
    close: () => {
      const pid = Number(read('pid'));
      try {
        if (pid > 0) process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (!hasErrno(error, 'ESRCH')) throw error;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
