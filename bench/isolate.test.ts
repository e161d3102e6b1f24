import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import {
  canIsolate,
  controlGroupName,
  findWorkspace,
  namespaceCommand,
  runInWorkspace,
} from './isolate.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'wardian-bench-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('a workspace is found when there is one', () => {
  assert.equal(findWorkspace({}), undefined);
  const workspace = findWorkspace({ WARDIAN_BENCH_WORKSPACE: '/w/bench-1' });
  assert.deepEqual(workspace, { directory: '/w/bench-1', isolated: false });
  assert.equal(workspace && controlGroupName(workspace), 'bench-1');
});

test('the namespaces end with the process that made them', () => {
  const command = namespaceCommand();
  assert.ok(command.includes('--kill-child'));
  assert.ok(command.includes('--mount-proc'));
});

test('the folder is there for the program and gone after it, and its exit code is ours', async () => {
  const note = path.join(directory, 'note');
  const script = `echo "$WARDIAN_BENCH_WORKSPACE" > '${note}'; exit 3`;
  assert.equal(await runInWorkspace(['/bin/sh', '-c', script]), 3);
  const workspace = readFileSync(note, 'utf8').trim();
  assert.match(workspace, /wardian-bench-[0-9a-f]{8}$/);
  assert.ok(!existsSync(workspace));
});

test('what the program leaves running ends with it', {
  skip: canIsolate() ? false : 'this user may not make process namespaces',
}, async () => {
  const note = path.join(directory, 'late');
  const script = `(sleep 1; echo late > '${note}') & exit 0`;
  assert.equal(await runInWorkspace(['/bin/sh', '-c', script]), 0);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.ok(!existsSync(note));
});
