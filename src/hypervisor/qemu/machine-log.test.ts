import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CONSOLE_LOG } from '../driver.ts';
import { findPanic, readLogTail, VMM_LOG } from './machine-log.ts';

describe('the logs of a machine', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'wardian-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): void => writeFileSync(path.join(folder, name), text);

  it('quotes the last lines', async () => {
    write(VMM_LOG, '1\n2\n\n3\n4\n5\n6\n');
    assert.equal(await readLogTail(folder, VMM_LOG), '2; 3; 4; 5; 6');
  });

  it('lets nothing through that a terminal would obey', async () => {
    write(VMM_LOG, 'bad\x1b[2J\x07 \u009b thing\r\n');
    assert.equal(await readLogTail(folder, VMM_LOG), 'bad[2J  thing');
  });

  it('finds why the kernel gave up', async () => {
    write(CONSOLE_LOG, '[ 1.0] Kernel panic - not syncing: no init\n[ 1.1] CPU: 0\n');
    assert.equal(await findPanic(folder), 'no init');
  });

  it('follows no link that a VMM might have left', async () => {
    write('secret', 'secret\n');
    symlinkSync(path.join(folder, 'secret'), path.join(folder, VMM_LOG));
    assert.equal(await readLogTail(folder, VMM_LOG), '');
  });

  it('has nothing to say when there is no log', async () => {
    assert.equal(await readLogTail(folder, VMM_LOG), '');
    assert.equal(await findPanic(folder), undefined);
  });
});
