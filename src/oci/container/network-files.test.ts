import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_NETWORK, networkFiles } from './network-files.ts';

const ID = 'f'.repeat(64);

function texts(...[request, network]: Parameters<typeof networkFiles>): Record<string, string> {
  const files = networkFiles(request, network);
  return Object.fromEntries(
    files.map(({ path, content }) => [path, Buffer.from(content).toString()]),
  );
}

test('without a network the container knows itself and nobody else', () => {
  assert.deepEqual(texts({ id: ID, name: 'box' }, NO_NETWORK), {
    '/etc/hosts': [
      '127.0.0.1\tlocalhost localhost.localdomain',
      '::1\tlocalhost localhost.localdomain',
      '127.0.0.1\tffffffffffff box',
      '',
    ].join('\n'),
    '/etc/hostname': 'ffffffffffff\n',
    '/etc/resolv.conf': '',
    '/run/.containerenv': '',
  });
});

test('with one it has an address and name servers', () => {
  const files = texts(
    { id: ID, hostname: 'web' },
    { address: '10.0.2.15', nameservers: ['10.0.2.3', '::1'], searchDomains: ['a.org', 'b.org'] },
  );
  assert.match(files['/etc/hosts'] ?? '', /\n10\.0\.2\.15\tweb\n$/);
  assert.equal(
    files['/etc/resolv.conf'],
    'search a.org b.org\nnameserver 10.0.2.3\nnameserver ::1\n',
  );
});

test('files belong to root and may be read by all', () => {
  for (const { mode, uid, gid } of networkFiles({ id: ID }, NO_NETWORK)) {
    assert.deepEqual([mode, uid, gid], [0o644, 0, 0]);
  }
});
