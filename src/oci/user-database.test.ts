import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveUser } from './user-database.ts';

const users = {
  passwd: [
    'root:x:0:0:root:/root:/bin/sh',
    'web:x:33:34::/var/www:/bin/false',
    '1234:x:77:78::/home/digits:/bin/sh',
    'broken:x:notanumber:0::/:/bin/sh',
    'huge:x:4294967295:0::/:/bin/sh',
    '# a comment',
    '',
  ].join('\n'),
  group: 'root:x:0:root\nwww:x:34:\nadm:x:4:root,web\ntape:x:26:web\nagain:x:4:web\n',
};
const none = { passwd: '', group: '' };

test('users are found by name and number, with their groups and home', () => {
  const web = { uid: 33, gid: 34, additionalGids: [34, 4, 26], home: '/var/www' };
  const cases = {
    '': { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' },
    root: { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' },
    web,
    '33': web,
    'web:': web,
    'web:tape': { ...web, gid: 26, additionalGids: [26] },
    '33:99': { ...web, gid: 99, additionalGids: [99] },
    '5000': { uid: 5000, gid: 0, additionalGids: [0], home: '/' },
    '5000:www': { uid: 5000, gid: 34, additionalGids: [34], home: '/' },
    '1234': { uid: 77, gid: 78, additionalGids: [78], home: '/home/digits' },
    ':www': { uid: 0, gid: 34, additionalGids: [34], home: '/root' },
  };
  for (const [specification, expected] of Object.entries(cases)) {
    assert.deepEqual(resolveUser(specification, users), expected, specification);
  }
});

test('an image without users has numbers still', () => {
  const root = { uid: 0, gid: 0, additionalGids: [0], home: '/' };
  assert.deepEqual(resolveUser('', none), root);
  assert.deepEqual(resolveUser('7:8', none), { ...root, uid: 7, gid: 8, additionalGids: [8] });
});

test('unknown names are named', () => {
  const notFound = (message: RegExp) => ({ code: 'USER_NOT_FOUND', message });
  assert.throws(
    () => resolveUser('mia', users),
    notFound(/^no user "mia" in the image's \/etc\/pa/),
  );
  assert.throws(() => resolveUser('web:mia', users), notFound(/^no group "mia"/));
  for (const specification of ['broken', 'huge', '4294967295', '2147483648', '-1', '1.5']) {
    assert.throws(
      () => resolveUser(specification, users),
      { code: 'USER_NOT_FOUND' },
      specification,
    );
  }
  assert.throws(() => resolveUser('a:b:c', users), { code: 'USAGE' });
});
