import { readFileSync } from 'node:fs';
import { parseJson } from '../../oci/runtime-spec/json.ts';
import { checkSpec } from '../../oci/runtime-spec/parse.ts';
import type { Resources } from '../../oci/runtime-spec/types.ts';
import { hasErrno, toWardianError, WardianError } from '../../util/errors.ts';
import type { FlagValues } from '../arguments/flags.ts';

/** The limits of one container; engines write a few hundred bytes. */
const MAX_RESOURCES_BYTES = 1024 * 1024;
const STDIN = 0;

/** Where each flag stands in linux.resources. */
const FLAGS: Readonly<Record<string, readonly [group: string, name: string]>> = {
  'blkio-weight': ['blockIO', 'weight'],
  'cpu-period': ['cpu', 'period'],
  'cpu-quota': ['cpu', 'quota'],
  'cpu-burst': ['cpu', 'burst'],
  'cpu-share': ['cpu', 'shares'],
  'cpu-rt-period': ['cpu', 'realtimePeriod'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime'],
  'cpu-idle': ['cpu', 'idle'],
  'cpuset-cpus': ['cpu', 'cpus'],
  'cpuset-mems': ['cpu', 'mems'],
  memory: ['memory', 'limit'],
  'memory-reservation': ['memory', 'reservation'],
  'memory-swap': ['memory', 'swap'],
  'pids-limit': ['pids', 'limit'],
};

/** Those of them that are texts in linux.resources, and those that are 32 bits. */
const TEXTS = ['cpuset-cpus', 'cpuset-mems'];
const SMALL_NUMBERS = ['blkio-weight', 'cpu-idle'];

/** What no flag of ours can change: it is about the caches of the host's processors, which no VM has for itself. */
const UNSUPPORTED = ['l3-cache-schema', 'mem-bw-schema'];

const SIZE = /^(-1|\d{1,19})([bkmgt]?)(?:i?b)?$/i;
const SHIFTS: Readonly<Record<string, bigint>> = { '': 0n, b: 0n, k: 10n, m: 20n, g: 30n, t: 40n };

/**
 * What `update` is to change: linux.resources from a file or stdin, and flags, which win over it. Fails with USAGE when
 * nothing is asked for, SPEC_INVALID for what is malformed.
 */
export function readResources(flags: FlagValues): Resources {
  const asked = UNSUPPORTED.find((name) => flags.isSet(name));
  if (asked !== undefined) {
    throw new WardianError('SPEC_UNSUPPORTED', `--${asked}: the caches are those of the host`, {
      hint: 'leave it out',
    });
  }
  const file = flags.getText('resources');
  const given = file === undefined ? {} : readResourcesFile(file);
  const changed = Object.keys(FLAGS).filter((name) => flags.getText(name) !== undefined);
  if (file === undefined && changed.length === 0) {
    throw new WardianError('USAGE', 'there is nothing to update', {
      hint: 'name a limit, such as --memory 512m, or a file: --resources FILE',
    });
  }
  return mergeFlags(given, changed, flags);
}

function readResourcesFile(file: string): Resources {
  const text = file === '-' ? readFileSync(STDIN, 'utf8') : readText(file);
  if (text.length > MAX_RESOURCES_BYTES) {
    throw new WardianError('SPEC_INVALID', `${file} is larger than ${MAX_RESOURCES_BYTES} bytes`);
  }
  try {
    return check(parseJson(text));
  } catch (thrown) {
    const { code, message } = toWardianError(thrown);
    throw new WardianError(code, `the resources in ${file === '-' ? 'stdin' : file}: ${message}`);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new WardianError('PATH_NOT_FOUND', `--resources ${file}: no such file or directory`);
  }
}

function mergeFlags(given: Resources, names: readonly string[], flags: FlagValues): Resources {
  const merged = given as Record<string, Record<string, unknown>>;
  for (const name of names) {
    const [group, member] = FLAGS[name] as readonly [string, string];
    const value = parseFlag(name, flags.getText(name) as string);
    merged[group] = { ...merged[group], [member]: value };
  }
  return check(merged);
}

function parseFlag(name: string, text: string): string | number | bigint {
  if (TEXTS.includes(name)) return text;
  if (SMALL_NUMBERS.includes(name)) return Number(text);
  const [, number, unit = ''] = SIZE.exec(text) ?? [];
  if (number === undefined) {
    throw new WardianError(
      'USAGE',
      `--${name} is ${JSON.stringify(text.slice(0, 64))}, not a size`,
      {
        hint: 'give a number, in bytes or with k, m or g behind it; -1 for no limit',
      },
    );
  }
  return BigInt(number) << (SHIFTS[unit.toLowerCase()] ?? 0n);
}

function check(resources: unknown): Resources {
  return checkSpec({ ociVersion: '1.0.0', linux: { resources } }).linux?.resources ?? {};
}
