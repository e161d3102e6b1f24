import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagValues } from '../arguments/flags.ts';
import { parseArguments } from '../arguments/parse-arguments.ts';
import { buildProcess, readProcessText } from './build-process.ts';

const CONFIG = `{"ociVersion":"1.0.2","process":{"args":["main"],"cwd":"/w","env":["A=1"],"terminal":true,
  "user":{"uid":5,"gid":6,"additionalGids":[7]},"consoleSize":{"height":1,"width":2},
  "capabilities":{"bounding":["CAP_KILL"],"inheritable":[]},
  "rlimits":[{"type":"RLIMIT_CORE","soft":18446744073709551615,"hard":18446744073709551615}]}}`;

function build(line: string): Record<string, unknown> {
  const { flags, operands } = parseArguments(line.split(' '), new FlagValues());
  return JSON.parse(buildProcess(CONFIG, operands.slice(1), flags).json);
}

test("a command runs as the container's own process does", () => {
  const { args, cwd, env, terminal, user, consoleSize } = build('exec ID ls -l');
  assert.deepEqual([args, cwd, env], [['ls', '-l'], '/w', ['A=1']]);
  assert.deepEqual(user, { uid: 5, gid: 6, additionalGids: [7] });
  assert.deepEqual([terminal, consoleSize], [false, undefined]);
});

test('64-bit numbers stay whole', () => {
  const { json } = buildProcess(CONFIG, ['x'], new FlagValues());
  assert.match(json, /"soft":18446744073709551615/);
});

test('flags change what they name', () => {
  const changed = build(
    'exec -t -e B=2 --cwd /x -u 1:2 -g 8,9 -g 10 -c net_admin --no-new-privs ID sh',
  );
  assert.deepEqual(changed['env'], ['A=1', 'B=2']);
  assert.deepEqual(
    [changed['cwd'], changed['terminal'], changed['noNewPrivileges']],
    ['/x', true, true],
  );
  assert.deepEqual(changed['user'], { uid: 1, gid: 2, additionalGids: [7, 8, 9, 10] });
  assert.deepEqual(changed['capabilities'], {
    bounding: ['CAP_KILL', 'CAP_NET_ADMIN'],
    inheritable: [],
    effective: ['CAP_NET_ADMIN'],
    permitted: ['CAP_NET_ADMIN'],
    ambient: ['CAP_NET_ADMIN'],
  });
  assert.deepEqual((build('exec -u 4 ID sh')['user'] as { gid: number }).gid, 6);
});

test("an engine's file is passed on, with the terminal of the command line", () => {
  const { flags } = parseArguments(['exec', '--process', 'f', '--tty', 'ID'], new FlagValues());
  const text =
    '{"args":["x"],"cwd":"/","consoleSize":{"height":3,"width":4},"x":18446744073709551615}';
  const process = readProcessText(text, flags);
  assert.equal(process.terminal, true);
  assert.deepEqual(process.size, { height: 3, width: 4 });
  assert.match(process.json, /"x":18446744073709551615/);
  assert.equal(readProcessText(text, new FlagValues()).terminal, false);
});

test('what is no process is refused', () => {
  assert.throws(() => buildProcess(CONFIG, [], new FlagValues()), { code: 'USAGE' });
  assert.throws(() => readProcessText('[]', new FlagValues()), { code: 'SPEC_INVALID' });
  assert.throws(() => readProcessText('{', new FlagValues()), { code: 'SPEC_INVALID' });
  for (const user of ['root', '1:wheel', '-1', '4294967295', '1:']) {
    assert.throws(() => build(`exec -u ${user} ID sh`), { code: 'USAGE' }, user);
  }
});
