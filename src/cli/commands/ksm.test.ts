import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { WardianError } from '../../util/errors.ts';
import type { CommandContext } from '../command.ts';
import { renderKsm } from '../output/ksm-text.ts';
import { describeKsm } from './ksm.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync('/tmp/wardian-ksm-');
});
afterEach(() => rmSync(root, { recursive: true }));

function writeHost(run: string): void {
  const ksm = path.join(root, 'sys/kernel/mm/ksm');
  mkdirSync(ksm, { recursive: true });
  mkdirSync(path.join(root, 'proc'), { recursive: true });
  writeFileSync(path.join(root, 'proc/meminfo'), 'MemTotal: 9 kB\nMemAvailable:    1024 kB\n');
  const counters = { run, pages_to_scan: '100', sleep_millisecs: '20', pages_shared: '10' };
  const more = { pages_sharing: '90', pages_unshared: '1', pages_volatile: '2', full_scans: '3' };
  for (const [name, text] of Object.entries({ ...counters, ...more })) {
    writeFileSync(path.join(ksm, name), `${text}\n`);
  }
}

async function run(...arguments_: string[]): Promise<string> {
  let printed = '';
  const stdout = new Writable({
    write: (chunk, _encoding, done) => {
      printed += String(chunk);
      done();
    },
  });
  const runtime = path.join(root, 'run');
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  const context = { stdout, directories: { runtime } } as unknown as CommandContext;
  assert.equal(await describeKsm(root)(arguments_, context), 0);
  return printed;
}

test('status explains merging and its side channel, and says what is saved', async () => {
  writeHost('1');
  const printed = await run('status');
  assert.match(printed, /^state: +on, 100 pages every 20 ms$/m);
  assert.match(printed, /^merged: +100 pages of this host are kept in 10: 369 kB saved$/m);
  assert.match(printed, /^sandboxes: +none runs$/m);
  assert.match(printed, /^The side channel: .*takes longer/m);
  assert.match(printed, /Switch it off: wardian ksm disable/);
});

test('status is there for machines', async () => {
  writeHost('0');
  const { state, sandboxes } = JSON.parse(await run('status', '--json'));
  assert.deepEqual([state.isOn, state.savedPages, sandboxes.running], [false, 90, 0]);
});

test('enable says how to undo it, and disable undoes it', async () => {
  writeHost('0');
  assert.match(await run('enable'), /is on for the whole host.*\n.*\nUndo: wardian ksm disable/);
  const file = path.join(root, 'sys/kernel/mm/ksm/run');
  assert.equal(readFileSync(file, 'utf8'), '1');
  assert.match(await run('disable'), /is off/);
  assert.equal(readFileSync(file, 'utf8'), '0');
});

test('disable does not fill the memory of a host that has no room for the copies', async () => {
  writeHost('1');
  writeFileSync(path.join(root, 'proc/meminfo'), 'MemAvailable: 300 kB\n');
  await assert.rejects(run('disable'), (error: WardianError) => error.code === 'HOST_NO_MEMORY');
});

test('a host without merging says so, whatever was asked', async () => {
  for (const verb of ['status', 'enable', 'disable']) {
    await assert.rejects(run(verb), (error) => {
      assert.ok(error instanceof WardianError);
      return error.code === 'KSM_MISSING' && error.exitCode === 125;
    });
  }
});

test('sandboxes that the kernel does not tell about are not called unmerged', () => {
  const state = {
    isOn: true,
    pagesToScan: 100,
    sleepMs: 20,
    sharedPages: 1,
    savedPages: 2,
    uniquePages: 0,
    volatilePages: 0,
    fullScans: 1,
    pageBytes: 4096,
    profitBytes: -64,
    threadCpuMs: 1500,
  };
  const hidden = { running: 2, readable: 0, mergeable: 0, mergedPages: 0 };
  const text = renderKsm({ state, sandboxes: hidden, threadLoad: 0.034 });
  assert.match(text, /2 running; the kernel does not tell this user/);
  assert.match(text, /8.19 kB saved, 64 B lost with/);
  assert.match(text, /1\.5 s of processor time since the boot, 3 % of a core now/);
  const seen = { running: 2, readable: 2, mergeable: 2, mergedPages: 3 };
  assert.match(renderKsm({ state, sandboxes: seen }), /all with memory open to merging; 3 pages/);
});
