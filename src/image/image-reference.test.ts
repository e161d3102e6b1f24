import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  listFullNames,
  nameFromAnnotation,
  nameFromDocker,
  nameFromUser,
  parseIdPrefix,
  parseImageName,
} from './image-reference.ts';

test('takes names apart', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const expected: [string, string, string, string?][] = [
    ['busybox', 'busybox', 'latest'],
    ['busybox:1.36', 'busybox', '1.36'],
    ['localhost:5000/team/app', 'localhost:5000/team/app', 'latest'],
    ['quay.io/a/b:v1', 'quay.io/a/b', 'v1'],
    [`app@${digest}`, 'app', 'latest', digest],
    ['my__app/x-y.z', 'my__app/x-y.z', 'latest'],
  ];
  for (const [text, repository, tag, wanted] of expected) {
    assert.deepEqual(parseImageName(text), { repository, tag, digest: wanted }, text);
  }
});

test('refuses what is no name', () => {
  const texts = ['', 'UPPER', 'a//b', '../x', 'a:', 'a:b:c', 'a@sha256:12', '-a', 'a b', 'a/'];
  for (const text of [...texts, 'x'.repeat(600), `a:${'t'.repeat(129)}`]) {
    assert.equal(parseImageName(text), undefined, text);
  }
  assert.throws(() => nameFromUser('No Name'), { code: 'NAME_INVALID' });
  assert.throws(() => nameFromDocker('No Name'), { code: 'IMAGE_INVALID' });
});

test('qualifies names by where they come from', () => {
  assert.equal(nameFromUser('busybox'), 'localhost/busybox:latest');
  assert.equal(nameFromUser('quay.io/a/b:1'), 'quay.io/a/b:1');
  assert.equal(nameFromDocker('busybox:1'), 'docker.io/library/busybox:1');
  assert.equal(nameFromDocker('team/app:1'), 'docker.io/team/app:1');
  assert.equal(nameFromDocker('docker.io/busybox:1'), 'docker.io/library/busybox:1');
});

test('understands annotations that are names, tags or neither', () => {
  assert.equal(nameFromAnnotation('quay.io/a/b:1', 'box'), 'quay.io/a/b:1');
  assert.equal(nameFromAnnotation('app:1', 'box'), 'localhost/app:1');
  assert.equal(nameFromAnnotation('v1.2', 'My-Box'), 'localhost/my-box:v1.2');
  assert.equal(nameFromAnnotation('v1.2', ''), undefined);
  assert.equal(nameFromAnnotation('../../x', 'box'), undefined);
});

test('short names are this machine’s first, then Docker Hub’s', () => {
  const list = (text: string) => listFullNames(parseImageName(text) as never);
  assert.deepEqual(list('busybox'), [
    'localhost/busybox:latest',
    'docker.io/library/busybox:latest',
  ]);
  assert.deepEqual(list('team/app:2'), ['localhost/team/app:2', 'docker.io/team/app:2']);
  assert.deepEqual(list('docker.io/busybox'), ['docker.io/library/busybox:latest']);
  assert.deepEqual(list('localhost/busybox'), ['localhost/busybox:latest']);
});

test('ids may be shortened to three digits', () => {
  assert.equal(parseIdPrefix('abc'), 'abc');
  assert.equal(parseIdPrefix('sha256:0123'), '0123');
  for (const text of ['ab', 'xyz', 'ABC', 'a'.repeat(65)]) {
    assert.equal(parseIdPrefix(text), undefined);
  }
});
