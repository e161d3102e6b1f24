import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestHost } from './test-host.ts';

/** Fails when a command has left anything but its sandboxer: a process, mount, folder, log or half-made file. */
export function assertNothingLeft(host: TestHost, ownMounts: readonly string[] = []): void {
  const { runtimeDirectory: runtime, dataDirectory: data } = host;
  const cache = host.environment['WARDIAN_CACHE_DIR'];
  const left = {
    sandboxes: list(runtime, 'sandboxes'),
    templates: list(runtime, 'templates'),
    logs: list(data, 'logs'),
    temporary: list(data, 'images/tmp'),
    halfMade: [runtime, path.join(data, 'images'), path.join(data, 'images/locks')].flatMap(
      (folder) => list(folder, '').filter((name) => /\.(new|tmp|broken)$/.test(name)),
    ),
    unfinished: cache === undefined ? [] : findUnfinished(cache),
    processes: host.getProcesses(),
    mounts: readMounts(host.directory).filter((place) => !ownMounts.includes(place)),
  };
  const nothing = Object.fromEntries(Object.keys(left).map((key) => [key, []]));
  assert.deepEqual(left, nothing);
}

/** Only where the cache is the test's own: another's may be making a template. */
function findUnfinished(cache: string): string[] {
  return list(cache, 'templates').filter((name) => name.startsWith('.making-'));
}

function list(folder: string, name: string): string[] {
  try {
    return readdirSync(path.join(folder, name));
  } catch {
    return []; // never made, or no folder
  }
}

function readMounts(below: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${below}/`));
}
