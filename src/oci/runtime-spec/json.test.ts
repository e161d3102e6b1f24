import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatJson, parseJson } from './json.ts';

/** The same value with ordinary prototypes, which `deepEqual` compares. */
function plain(value: unknown): unknown {
  return typeof value === 'object' ? structuredClone(value) : value;
}

test('reads what JSON.parse reads', () => {
  const texts = [
    ...['{}', '[]', ' [ 1 , -2.5e3 ] ', '"\\u00e9\\n\\"\\\\\\/"', 'true', 'null', '0', '-0', '1E2'],
    '{"a":{"b":[{"c":"d"},[[]]]},"":0}',
  ];
  for (const text of texts) assert.deepEqual(plain(parseJson(text)), JSON.parse(text), text);
});

test('keeps every digit of integers that a double cannot hold', () => {
  assert.equal(parseJson('18446744073709551615'), 18446744073709551615n);
  assert.equal(parseJson('-9223372036854775808'), -9223372036854775808n);
  assert.equal(parseJson('9007199254740991'), 9007199254740991);
});

test('refuses what is not JSON', () => {
  const texts = [
    ...['', ' ', '{', '[1,]', '{"a":1,}', '{a:1}', "'a'", '"a', '"\\x"', '"\n"', '01', '1.', '.5'],
    ...['+1', '--1', 'nul', 'truefalse', '1 2', '[1 2]', '{"a" 1}', 'NaN', '1e999', '"\\"'],
    '9'.repeat(33),
  ];
  for (const text of texts) {
    assert.throws(() => parseJson(text), { code: 'SPEC_INVALID' }, text);
  }
});

test('refuses a name that stands twice in an object', () => {
  assert.throws(() => parseJson('{"args":1,"args":2}'), /no second "args"/);
});

test('takes "__proto__" for a name like any other', () => {
  const value = parseJson('{"__proto__":{"admin":true}}') as Record<string, unknown>;
  assert.equal(value['admin'], undefined);
  assert.deepEqual(Object.keys(value), ['__proto__']);
});

test('bounds nesting, and takes texts of megabytes', () => {
  assert.throws(() => parseJson('['.repeat(1_000_000)), /levels of nesting/);
  const long = 'é'.repeat(2_000_000);
  assert.equal(parseJson(JSON.stringify(long)), long);
  const escapes = '\n'.repeat(1_000_000);
  assert.equal(parseJson(JSON.stringify(escapes)), escapes);
});

test('writes what it reads', () => {
  const text = '{"a":[1,18446744073709551615,null,true,"x\\n"],"b":{}}';
  assert.equal(formatJson(parseJson(text)), text);
  assert.equal(formatJson({ a: undefined, b: 1 }), '{"b":1}');
});
