import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { HypervisorDriver } from '../../hypervisor/driver.ts';
import type { WarmSource } from '../../sandbox/warm-machines.ts';
import type { Template } from '../../template/template.ts';
import { type PoolOptions, WarmPool } from './warm-pool.ts';

/** Well below the pause after a first failure, well above the delay of a refill. */
const SOON_MS = 300;
const FIRST_BACK_OFF_MS = 1_000;

let directory: string;
let clones: number;
let lines: string[];
let pool: WarmPool;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-pool-'));
  [clones, lines] = [0, []];
});
afterEach(async () => {
  await pool.close();
  rmSync(directory, { recursive: true, force: true });
});

function open(changes: Partial<PoolOptions> = {}): WarmPool {
  pool = new WarmPool({
    size: 1,
    memoryBytes: 2 ** 30,
    refillDelayMs: 5,
    directory: path.join(directory, 'pool'),
    prepareImage: async () => '/none',
    prepareShare: async () => '/none',
    isStarting: () => false,
    log: (line) => lines.push(line),
    ...changes,
  });
  return pool;
}

/** A kind of machine of which none can be made. */
function brokenSource(key: string): WarmSource {
  const driver = {
    capabilities: { forking: false },
    clone: async () => {
      clones += 1;
      throw new Error('no machine today');
    },
  } as unknown as HypervisorDriver;
  const size = { cpus: 1, memoryBytes: 2 ** 30 };
  const template = { key, size, snapshot: { config: { boot: {} } }, nonce: new Uint8Array(16) };
  return { driver, template: template as unknown as Template };
}

test('a machine that cannot be made is a line in the log, and tried again after a while only', async () => {
  const source = brokenSource('k');
  assert.equal(open().take(source), undefined);
  await pause(SOON_MS);
  pool.take(source); // a start in between makes nobody hurry
  await pause(SOON_MS);
  assert.equal(clones, 1);
  assert.deepEqual(lines, ['the pool could not be filled: no machine today']);
  assert.deepEqual(readdirSync(path.join(directory, 'pool')), []);
  await pause(FIRST_BACK_OFF_MS);
  assert.equal(clones, 2);
  assert.deepEqual(pool.describe(), {
    ...{ size: 1, memoryLimitBytes: 2 ** 30, ready: 0, memoryBytes: 0, making: false },
  });
});

test('nothing is made while something is started', async () => {
  let isStarting = true;
  open({ isStarting: () => isStarting }).take(brokenSource('k'));
  await pause(SOON_MS);
  assert.equal(clones, 0);
  isStarting = false;
  await pause(SOON_MS);
  assert.equal(clones, 1);
});

test('a pool that is switched off, or closed, makes nothing', async () => {
  open({ size: 0 }).take(brokenSource('k'));
  await pause(SOON_MS);
  open().take(brokenSource('k'));
  await pool.close();
  pool.take(brokenSource('k'));
  await pause(SOON_MS);
  assert.equal(clones, 0);
  assert.equal(existsSync(path.join(directory, 'pool')), false);
});

test('a pool that was drained is filled again by the next start', async () => {
  open().take(brokenSource('k'));
  await pool.drain();
  await pause(SOON_MS);
  assert.equal(clones, 0);
  pool.take(brokenSource('k'));
  await pause(SOON_MS);
  assert.equal(clones, 1);
});
