import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { listSourcePlaces, noteFacts } from './source-package.ts';

const PLACES = `Debian|http://deb.debian.org/debian/|bookworm|main
Debian|http://deb.debian.org/debian/|bookworm|main
Debian|http://deb.debian.org/debian-security/|bookworm-security|main
Somebody|https://packages.example.org/|stable|main
`;

test('sources are asked for where Debian packages come from, once, and nowhere else', () => {
  assert.equal(
    listSourcePlaces(PLACES, '/no/such/keyring'),
    'deb-src http://deb.debian.org/debian/ bookworm main\n' +
      'deb-src http://deb.debian.org/debian-security/ bookworm-security main\n',
  );
});

test('they are verified by the archive’s own keys', () => {
  const [first] = listSourcePlaces(PLACES, '/dev/null').split('\n');
  assert.equal(first, 'deb-src [signed-by=/dev/null] http://deb.debian.org/debian/ bookworm main');
});

test('a source is as old as Debian says, whenever it was fetched', async () => {
  const directory = mkdtempSync('/tmp/wardian-source-');
  const at = (name: string) => path.join(directory, name);
  const readFacts = () => JSON.parse(readFileSync(at('source.json'), 'utf8'));
  try {
    mkdirSync(at('debian'));
    const entry = 'thing (1.5-2) stable; urgency=low\n\n  * New.\n\n';
    const signature = ' -- Some Body <some@example.org>  Tue, 14 Nov 2023 22:13:20 +0000\n';
    writeFileSync(at('debian/changelog'), `${entry}${signature}`);
    execFileSync('tar', ['-C', directory, '-cJf', at('thing_1.5-2.debian.tar.xz'), 'debian']);
    writeFileSync(at('thing_1.5-2.dsc'), 'Format: 3.0 (quilt)\nVersion: 1.5-2\n');
    await noteFacts({ package: 'thing', kind: 'source' }, directory);
    const expected = { version: '1.5-2', dateSeconds: 1_700_000_000 };
    assert.deepEqual(readFacts(), { ...expected, file: 'thing_1.5-2.dsc' });

    mkdirSync(at('root/DEBIAN'), { recursive: true });
    const control =
      'Package: thing\nVersion: 1.5-2\nArchitecture: all\nMaintainer: n\nDescription: t\n';
    writeFileSync(at('root/DEBIAN/control'), control);
    execFileSync('dpkg-deb', ['--build', at('root'), at('thing.deb')], {
      stdio: 'ignore',
      env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' },
    });
    const archive = 'usr/src/thing.tar';
    await noteFacts({ package: 'thing', kind: 'archive', archive }, directory);
    assert.deepEqual(readFacts(), { ...expected, file: 'thing.deb' });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
