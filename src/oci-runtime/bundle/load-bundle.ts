import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { parseSpec } from '../../oci/runtime-spec/parse.ts';
import type { Spec } from '../../oci/runtime-spec/types.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';

/** What parseSpec reads, and some more, so that the complaint is its own. */
const MAX_CONFIG_BYTES = 16 * 1024 * 1024;

/** A bundle on disk (runtime-spec, bundle.md). */
export interface Bundle {
  /** Absolute, without symbolic links. */
  readonly directory: string;
  /** Of the root file system; the same. */
  readonly rootfs: string;
  readonly spec: Spec;
  /** What `spec` was read from. */
  readonly text: string;
}

/** Reads a bundle and looks whether its root file system is there. Fails with PATH_NOT_FOUND or SPEC_INVALID. */
export function loadBundle(directory: string, configPath?: string): Bundle {
  const real = resolveFolder(directory, 'the bundle');
  const text = readConfig(configPath ?? `${real}/config.json`);
  const spec = parseSpec(text);
  const root = spec.root?.path;
  if (root === undefined) {
    throw new WardianError('SPEC_INVALID', 'root.path is missing: there is no root file system');
  }
  const rootfs = resolveFolder(root.startsWith('/') ? root : `${real}/${root}`, 'root.path');
  if (rootfs === '/') {
    throw new WardianError('SPEC_INVALID', "root.path is the host's own root file system", {
      hint: 'name a folder that holds one for the container',
    });
  }
  return { directory: real, rootfs, spec, text };
}

function readConfig(configPath: string): string {
  try {
    // Without waiting for anybody, should it turn out to be a pipe.
    const descriptor = openSync(configPath, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile()) throw unreadable(configPath, 'is no file');
      if (status.size > MAX_CONFIG_BYTES) {
        throw unreadable(configPath, `has ${status.size} bytes, more than ${MAX_CONFIG_BYTES}`);
      }
      return readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    if (!hasErrno(cause, 'ENOENT', 'ENOTDIR')) throw cause;
    throw new WardianError('PATH_NOT_FOUND', `${configPath}: no such file or directory`, {
      hint: 'name the folder with config.json: --bundle; one to begin with: wardian-runtime spec',
    });
  }
}

function resolveFolder(path: string, what: string): string {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) return real;
  } catch (cause) {
    if (!hasErrno(cause, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) throw cause;
    const reason = hasErrno(cause, 'ELOOP')
      ? 'too many levels of symbolic links'
      : 'no such file or directory';
    throw new WardianError('PATH_NOT_FOUND', `${what} ${JSON.stringify(path)}: ${reason}`);
  }
  throw new WardianError('SPEC_INVALID', `${what} ${JSON.stringify(path)} is not a folder`);
}

function unreadable(configPath: string, problem: string): WardianError {
  return new WardianError('SPEC_INVALID', `${configPath} ${problem}`);
}
