import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  disableKsm,
  type KsmSettings,
  restoreKsmSettings,
  saveKsmSettings,
} from '../../src/host/ksm.ts';
import { TestHost } from '../support/test-host.ts';

/** Merging is the whole machine's: it is put back as it was. */

const SWITCH = '/sys/kernel/mm/ksm/run';
const DEADLINE_MS = 90_000;
const MEBIBYTE = 2 ** 20;

interface Report {
  readonly state: {
    readonly isOn: boolean;
    readonly pageBytes: number;
    readonly savedPages: number;
  };
  readonly sandboxes: {
    readonly running: number;
    readonly readable: number;
    readonly mergeable: number;
    readonly mergedPages: number;
  };
}

function skipReason(): string | false {
  try {
    accessSync(SWITCH, constants.W_OK);
    return false;
  } catch {
    return `only root may switch page merging, and only where the kernel has it (${SWITCH})`;
  }
}

const skip = skipReason();
const host = new TestHost();
let settings: KsmSettings | undefined;

before(() => {
  if (skip === false) settings = saveKsmSettings('/');
});
after(async () => {
  if (settings !== undefined) {
    if (settings['run'] === '0') disableKsm('/');
    restoreKsmSettings('/', settings);
  }
  await host.close();
});

async function readStatus(): Promise<Report> {
  return JSON.parse(await host.succeed(['ksm', 'status', '--json'])) as Report;
}

test('what guests have written alike is merged, and taken apart again', { skip }, async () => {
  for (let count = 0; count < 3; count++) {
    await host.succeed(['run', '--detach', 'busybox', 'sleep', '600']);
  }
  const { sandboxes } = await readStatus();
  assert.deepEqual([sandboxes.running, sandboxes.readable, sandboxes.mergeable], [3, 3, 3]);

  assert.match(await host.succeed(['ksm', 'enable']), /Undo: wardian ksm disable/);
  const merged = await waitForMerging();
  assert.equal(merged.state.isOn, true);
  assert.match(await host.succeed(['ksm', 'status']), /all with memory open to merging/);

  await host.succeed(['ksm', 'disable']);
  const { state, sandboxes: apart } = await readStatus();
  assert.deepEqual([state.isOn, state.savedPages, apart.mergedPages], [false, 0, 0]);
  assert.equal((await host.succeed(['ps', '-q'])).trim().split('\n').length, 3);
});

/** Of three clones that have done the same, at least a megabyte each is alike. */
async function waitForMerging(): Promise<Report> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const report = await readStatus();
    const mergedBytes = report.sandboxes.mergedPages * report.state.pageBytes;
    if (mergedBytes > 3 * MEBIBYTE) return report;
    assert.ok(Date.now() < deadline, `only ${mergedBytes} bytes were merged`);
    await delay(500);
  }
}
