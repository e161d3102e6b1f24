import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { WardianError } from '../util/errors.ts';
import {
  disableKsm,
  enableKsm,
  readKsm,
  readProcessKsm,
  restoreKsmSettings,
  saveKsmSettings,
} from './ksm.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'wardian-ksm-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const COUNTERS = {
  run: '0',
  pages_to_scan: '100',
  sleep_millisecs: '20',
  pages_shared: '10',
  pages_sharing: '25',
  pages_unshared: '3',
  pages_volatile: '4',
  full_scans: '5',
};

function writeTree(files: Record<string, string>, directory = 'sys/kernel/mm/ksm'): void {
  mkdirSync(path.join(root, directory), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(path.join(root, directory, name), `${text}\n`);
  }
}

function read(name: string): string {
  return readFileSync(path.join(root, 'sys/kernel/mm/ksm', name), 'utf8').trim();
}

function hasCode(code: string, message: RegExp) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof WardianError);
    assert.equal(thrown.code, code);
    assert.match(thrown.message, message);
    return true;
  };
}

test('the counters are read, those of newer kernels where there are any', () => {
  writeTree(COUNTERS);
  const { pageBytes, ...state } = readKsm(root);
  assert.ok(pageBytes >= 4096);
  assert.deepEqual(state, {
    isOn: false,
    pagesToScan: 100,
    sleepMs: 20,
    sharedPages: 10,
    savedPages: 25,
    uniquePages: 3,
    volatilePages: 4,
    fullScans: 5,
    profitBytes: undefined,
    threadCpuMs: undefined,
  });
  writeTree({ general_profit: '-4096' });
  assert.equal(readKsm(root).profitBytes, -4096);
});

test('the processor time is that of the thread with the name of the kernel’s', () => {
  writeTree(COUNTERS);
  const fields = ['S', 2, 0, 0, 0, -1, 2129984, 0, 0, 0, 0, 150, 50, 0, 0].join(' ');
  writeTree({ stat: `36 (ksmd) x) ${fields.replace('150', '999')}` }, 'proc/36');
  writeTree({ stat: `37 (ksmd) ${fields}` }, 'proc/37');
  assert.equal(readKsm(root).threadCpuMs, 2_000);
});

test('switching on sets the pace first, and leaves that to an adviser who is at work', () => {
  writeTree(COUNTERS);
  enableKsm(root);
  assert.equal(read('run'), '1');
  assert.ok(Number(read('pages_to_scan')) > 100);

  writeTree({ ...COUNTERS, advisor_mode: 'none [scan-time]' });
  enableKsm(root);
  assert.equal(read('run'), '1');
  assert.equal(read('pages_to_scan'), '100');
});

test('switching off takes apart what was merged, if there is room for it', () => {
  writeTree({ ...COUNTERS, run: '1' });
  writeTree({ meminfo: 'MemAvailable: 96 kB' }, 'proc');
  assert.throws(() => disableKsm(root), hasCode('HOST_NO_MEMORY', /needs 1 MiB/));
  assert.equal(read('run'), '1');
  writeTree({ meminfo: 'MemAvailable: 9999 kB' }, 'proc');
  disableKsm(root);
  assert.equal(read('run'), '0');
});

test('settings can be put back as they were', () => {
  writeTree(COUNTERS);
  const settings = saveKsmSettings(root);
  enableKsm(root);
  restoreKsmSettings(root, settings);
  assert.deepEqual(
    [read('run'), read('pages_to_scan'), read('sleep_millisecs')],
    ['0', '100', '20'],
  );
});

test('a kernel without merging is an error with a name', () => {
  for (const action of [readKsm, enableKsm, disableKsm, saveKsmSettings]) {
    assert.throws(() => action(root), hasCode('KSM_MISSING', /no same-page merging/));
  }
});

test('who may not write is told which file it was', { skip: isRoot() && 'root may write' }, () => {
  writeTree(COUNTERS);
  rmSync(path.join(root, 'sys/kernel/mm/ksm/run'));
  writeFileSync(path.join(root, 'sys/kernel/mm/ksm/run'), '0\n', { mode: 0o444 });
  assert.throws(() => enableKsm(root), hasCode('HOST_PERMISSION', /cannot write 1 to .*\/run/));
});

test('a process is mergeable when the kernel says so, or has looked at it', () => {
  const write = (pid: number, ...lines: string[]) =>
    writeTree({ ksm_stat: lines.join('\n') }, `proc/${pid}`);
  write(5, 'ksm_rmap_items 0', 'ksm_merging_pages 0', 'ksm_mergeable: no');
  write(6, 'ksm_rmap_items 0', 'ksm_merging_pages 0', 'ksm_mergeable: yes');
  write(7, 'ksm_rmap_items 12', 'ksm_merging_pages 7');
  write(8, 'something else');
  assert.deepEqual(readProcessKsm(root, 5), { isMergeable: false, mergedPages: 0 });
  assert.deepEqual(readProcessKsm(root, 6), { isMergeable: true, mergedPages: 0 });
  assert.deepEqual(readProcessKsm(root, 7), { isMergeable: true, mergedPages: 7 });
  assert.equal(readProcessKsm(root, 8), undefined);
  assert.equal(readProcessKsm(root, 9), undefined);
});

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
