import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import type { CommandContext } from '../command.ts';
import { guest } from './guest.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
let checkout = '';

beforeEach(() => {
  checkout = mkdtempSync('/tmp/wardian-guest-');
});
afterEach(() => rmSync(checkout, { recursive: true }));

/** Gives the checkout a script in the place of the one that builds. */
function placeScript(code: string): void {
  mkdirSync(path.join(checkout, 'scripts/guest'), { recursive: true });
  writeFileSync(path.join(checkout, 'scripts/guest/main.ts'), code);
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(checkout, 'node_modules'));
}

async function runGuest(...arguments_: string[]) {
  let printed = '';
  const stdout = new Writable({
    write: (chunk, _encoding, done) => {
      printed += String(chunk);
      done();
    },
  });
  const context = {
    stdout,
    environment: {},
    directories: { cache: checkout },
    sandboxerPath: path.join(checkout, 'dist/sandboxer.cjs'),
    signals: new EventEmitter(),
  } as unknown as CommandContext;
  return { exitCode: await guest(arguments_, context), printed };
}

const RECORDS = JSON.stringify([
  {
    name: 'kernel-tcg',
    key: '0123456789abcdef',
    source: 'linux-source-6.1 6.1.1-1',
    builtAt: new Date(Date.now() - 3_600_000).toISOString(),
    diskBytes: 2 ** 20,
    state: 'current',
  },
  {
    name: 'qemu',
    key: 'fedcba9876543210',
    source: '',
    builtAt: '',
    diskBytes: 0,
    state: 'unfinished',
  },
]);

test('what to build, and for which accelerator, is handed to the checkout, whose exit code counts', async () => {
  const note = path.join(checkout, 'note');
  placeScript(`import { writeFileSync } from 'node:fs';
    writeFileSync(${JSON.stringify(note)}, process.argv.slice(2).join(' '));
    process.exitCode = 7;`);
  const { exitCode } = await runGuest('build', 'kernel', '--accelerator', 'kvm');
  assert.equal(exitCode, 7);
  assert.equal(readFileSync(note, 'utf8'), 'build kernel kvm');
});

test('what cannot be built is refused with what can', async () => {
  await assert.rejects(runGuest('build', 'kernle', '--accelerator', 'tcg'), {
    code: 'USAGE',
    hint: 'it is one of: kernel, qemu, all',
  });
  await assert.rejects(runGuest('build', '--accelerator', 'xen'), {
    code: 'USAGE',
    hint: 'it is one of: tcg, kvm, all',
  });
});

test('without a checkout there is nothing to build from', async () => {
  await assert.rejects(runGuest('build', '--accelerator', 'all'), {
    code: 'HOST_SETUP_MISSING',
    message: /scripts\/guest\/main\.ts is not there/,
  });
});

test('builds are listed for people and as JSON', async () => {
  placeScript(`process.stdout.write(${JSON.stringify(RECORDS)});`);
  const { printed } = await runGuest('ls');
  assert.match(printed, /^NAME +KEY +SOURCE +BUILT +DISK +STATE\n/);
  assert.match(
    printed,
    /kernel-tcg +0123456789abcdef +linux-source-6\.1 6\.1\.1-1 +\S.* current\n/,
  );
  assert.match(printed, /qemu +fedcba9876543210 .* unfinished\n/);
  const listed = JSON.parse((await runGuest('ls', '--json')).printed);
  assert.deepEqual(
    listed.map(({ Name, State }: Record<string, string>) => [Name, State]),
    [
      ['kernel-tcg', 'current'],
      ['qemu', 'unfinished'],
    ],
  );
});

test('prune --all asks for all to be removed', async () => {
  placeScript(
    `process.stdout.write(process.argv[3] === 'all' ? ${JSON.stringify(RECORDS)} : '[]');`,
  );
  assert.equal((await runGuest('prune')).printed, '');
  assert.match((await runGuest('prune', '--all')).printed, /^kernel-tcg-/);
});

test('what was pruned is printed, and a script that fails is an error', async () => {
  placeScript(`process.stdout.write(${JSON.stringify(RECORDS)});`);
  const { printed } = await runGuest('prune');
  assert.equal(printed, 'kernel-tcg-0123456789abcdef\nqemu-fedcba9876543210\n');
  writeFileSync(path.join(checkout, 'scripts/guest/main.ts'), 'process.exitCode = 3;');
  await assert.rejects(runGuest('prune'), { code: 'INTERNAL', message: /ended with 3/ });
});
