import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WardianError } from '../../util/errors.ts';
import { parseArguments } from './parse-arguments.ts';
import type { CommandSpec } from './spec.ts';

const SPEC = {
  name: 'run',
  operands: 'IMAGE [COMMAND...]',
  minimumOperands: 1,
  summary: 'for the test',
  stopAtOperand: true,
  flags: {
    interactive: { short: 'i', help: '' },
    tty: { short: 't', help: '' },
    env: { short: 'e', value: 'NAME', repeated: true, help: '' },
    hostname: { short: 'h', value: 'NAME', help: '' },
    network: { alias: 'net', value: 'MODE', help: '' },
    kind: { value: 'KIND', choices: ['a', 'b'], help: '' },
    'sig-proxy': { initially: true, help: '' },
  },
  refused: { '-v': 'no volumes', '--volume': 'no volumes' },
} as const satisfies CommandSpec;

const LIST: CommandSpec = {
  name: 'ps',
  operands: '',
  maximumOperands: 1,
  summary: '',
  flags: { all: { short: 'a', help: '' } },
};

function parse(...arguments_: string[]) {
  return parseArguments(SPEC, arguments_);
}

function assertUsage(action: () => unknown, message: RegExp, hint = /./): void {
  assert.throws(action, (thrown) => {
    assert.ok(thrown instanceof WardianError);
    assert.equal(thrown.code, 'USAGE');
    assert.match(thrown.message, message);
    assert.match(thrown.hint ?? '-', hint);
    return true;
  });
}

test('flags in all their forms mean the same', () => {
  for (const form of [['-e', 'A=1'], ['-eA=1'], ['-e=A=1'], ['--env', 'A=1'], ['--env=A=1']]) {
    assert.deepEqual(parse(...form, 'image').flags.env, ['A=1'], form.join(' '));
  }
  for (const form of [['-it'], ['-i', '-t'], ['--interactive', '--tty=true'], ['-i=1', '-t']]) {
    const { flags } = parse(...form, 'image');
    assert.equal(flags.interactive && flags.tty, true, form.join(' '));
  }
  assert.deepEqual(parse('-iteA=1', '-e', 'B', 'image').flags.env, ['A=1', 'B']);
  assert.equal(parse('--net', 'none', 'image').flags.network, 'none');
});

test('switches can be switched off, and have what they are initially', () => {
  assert.equal(parse('image').flags['sig-proxy'], true);
  assert.equal(parse('--sig-proxy=false', 'image').flags['sig-proxy'], false);
  assert.equal(parse('image').flags.tty, false);
  assert.equal(parse('image').flags.hostname, undefined);
  assertUsage(() => parse('--tty=maybe', 'image'), /--tty is a switch/);
});

test('what stands behind the image is the command, flags and -- too', () => {
  assert.deepEqual(parse('-i', 'image', 'sh', '-c', 'x', '--', '-t').operands, [
    ...['image', 'sh', '-c', 'x', '--', '-t'],
  ]);
  assert.equal(parse('image', '-t').flags.tty, false);
  assert.deepEqual(parse('--', 'image', '-t').operands, ['image', '-t']);
});

test('other verbs take flags anywhere before --', () => {
  assert.deepEqual(parseArguments(LIST, ['x', '-a']), {
    flags: { all: true },
    operands: ['x'],
    help: false,
  });
  assert.deepEqual(parseArguments(LIST, ['--', '-a']).operands, ['-a']);
  assert.deepEqual(parseArguments(LIST, ['-']).operands, ['-']);
});

test('help is help, except where -h is the host name', () => {
  assert.equal(parse('--help').help, true);
  assert.equal(parse('-h', 'web', 'image').flags.hostname, 'web');
  assert.equal(parseArguments(LIST, ['-h']).help, true);
  assert.equal(parse('image', '--help').help, false);
});

test('mistakes are explained', () => {
  assertUsage(() => parse('--hostnme', 'x', 'image'), /unknown flag --hostnme/, /mean --hostname/);
  assertUsage(() => parse('-x', 'image'), /unknown flag -x/, /--help/);
  assertUsage(() => parse('--constructor', 'image'), /unknown flag/);
  assertUsage(() => parse('--env'), /--env needs a value/, /-/);
  assertUsage(() => parse('--kind', 'c', 'image'), /--kind cannot be "c"/, /a, b/);
  assertUsage(() => parse('-v', 'a:b', 'image'), /-v is not supported: no volumes/, /-/);
  assertUsage(() => parse('--volume=a:b', 'image'), /no volumes/, /-/);
  assertUsage(() => parse('-i'), /run needs IMAGE/, /usage: wardian run/);
  assertUsage(() => parseArguments(LIST, ['a', 'b']), /does not take "b"/);
});
