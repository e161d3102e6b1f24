import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import type { CommandContext } from '../command.ts';
import { check, renderFindings } from './check.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-check-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs the command on a host without QEMU and returns its exit code and what it printed. */
async function runCheck(...arguments_: string[]) {
  let printed = '';
  const stdout = new Writable({
    write: (chunk, _encoding, done) => {
      printed += String(chunk);
      done();
    },
  });
  const context = {
    stdout,
    environment: { PATH: directory },
    directories: {
      runtime: path.join(directory, 'run'),
      cache: path.join(directory, 'cache'),
      data: path.join(directory, 'data'),
    },
    sandboxerPath: path.join(directory, 'sandboxer.cjs'),
  } as unknown as CommandContext;
  return { exitCode: await check(arguments_, context), printed };
}

test('a host without QEMU, build and guest is told so, and the exit code is 1', async () => {
  const { exitCode, printed } = await runCheck();
  assert.equal(exitCode, 1);
  assert.match(printed, /^missing +qemu +qemu-system-x86_64 is not installed$/m);
  assert.match(printed, /^missing +build +.*sandboxer\.cjs is not there$/m);
  assert.match(printed, /^ +→ sudo apt-get install .*qemu-system-x86$/m);
  assert.match(printed, /\nContainers cannot run here yet\.\n$/);
});

test('--json prints the same findings for machines', async () => {
  writeFileSync(path.join(directory, 'sandboxer.cjs'), '');
  const { exitCode, printed } = await runCheck('--json');
  const report = JSON.parse(printed);
  assert.deepEqual([exitCode, report.canRun], [1, false]);
  const build = report.findings.find((finding: { subject: string }) => finding.subject === 'build');
  assert.match(build.text, /launcher is not there/);
});

test('findings stand in columns, remedies below them', () => {
  const findings = [
    { subject: 'node', status: 'ok', text: '20.1.0' },
    { subject: 'template', status: 'warn', text: 'none yet', remedy: 'make one' },
  ] as const;
  assert.equal(
    renderFindings(findings, true),
    `ok       node      20.1.0
warn     template  none yet
                   → make one
Containers can run here.
`,
  );
});
