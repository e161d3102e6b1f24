import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listSourcePlaces } from './source-package.ts';

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
