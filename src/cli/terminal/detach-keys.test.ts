import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DETACH_KEYS, DetachFilter, parseDetachKeys } from './detach-keys.ts';

/** Types pieces and tells what went through, with `!` where it detached. */
function type(keys: string, ...pieces: string[]): string {
  const filter = new DetachFilter(parseDetachKeys(keys));
  let seen = '';
  for (const piece of pieces) {
    const { bytes, detached } = filter.filter(Buffer.from(piece, 'latin1'));
    seen += bytes.toString('latin1') + (detached ? '!' : '');
  }
  return seen;
}

test('sequences are read as podman writes them', () => {
  assert.deepEqual([...parseDetachKeys(DEFAULT_DETACH_KEYS)], [0x10, 0x11]);
  assert.deepEqual([...parseDetachKeys('ctrl-@,ctrl-[,ctrl-_,x')], [0, 0x1b, 0x1f, 0x78]);
  assert.deepEqual([...parseDetachKeys('')], []);
  for (const text of ['ctrl-', 'ctrl-1', 'ab', 'ctrl-p,', 'é']) {
    assert.throws(() => parseDetachKeys(text), { code: 'USAGE' }, text);
  }
});

test('the sequence detaches, in one piece or key by key', () => {
  assert.equal(type('a,b', 'xxab'), 'xx!');
  assert.equal(type('a,b', 'xa', 'b'), 'x!');
  assert.equal(type('a,b', 'abrest'), '!');
  assert.equal(type('a', 'a'), '!');
});

test('keys that turn out not to begin it are passed on, none lost', () => {
  assert.equal(type('a,b', 'xay'), 'xay');
  assert.equal(type('a,b', 'a', 'c', 'd'), 'acd');
  assert.equal(type('a,b', 'aab'), 'a!');
  assert.equal(type('a,b,a,c', 'ababac'), 'ab!');
  assert.equal(type('a,a,b', 'aaab'), 'a!');
  assert.equal(type('', 'anything'), 'anything');
});
