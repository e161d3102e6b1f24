import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagValues } from './flags.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { type ParsedArguments, parseArguments } from './parse-arguments.ts';
import { VERB_USAGES, type VerbUsage } from './verb-flags.ts';

function parse(line: string): ParsedArguments {
  return parseArguments(line.split(' ').filter(Boolean), new FlagValues());
}

test('what conmon and containerd call is understood, flag by flag', () => {
  const create = parse(
    '--log-format=json --log /r/oci-log create --bundle /b --pid-file /r/pid --console-socket /t ID',
  );
  assert.equal(create.verb, 'create');
  assert.deepEqual(create.operands, ['ID']);
  const texts = ['log-format', 'log', 'bundle', 'pid-file', 'console-socket'].map((name) =>
    create.flags.getText(name),
  );
  assert.deepEqual(texts, ['json', '/r/oci-log', '/b', '/r/pid', '/t']);
  const exec = parse(
    '--root /r --systemd-cgroup exec --process /p --detach --pid-file /f --tty ID',
  );
  assert.equal(exec.verb, 'exec');
  assert.equal(exec.flags.isSet('systemd-cgroup'), true);
  assert.equal(exec.flags.isSet('detach') && exec.flags.isSet('tty'), true);
  assert.deepEqual(exec.operands, ['ID']);
  assert.equal(parse('update --resources - ID').flags.getText('resources'), '-');
  assert.deepEqual(parse('kill --all ID 9').operands, ['ID', '9']);
  assert.equal(parse('ps --format json ID').flags.getText('format'), 'json');
});

test('flags may stand behind the id, as Slurm puts them, and global ones behind the verb', () => {
  const run = parse('run ID -b DIR --root=/r --log-format json -d');
  assert.deepEqual(run.operands, ['ID']);
  assert.equal(run.flags.getText('bundle'), 'DIR');
  assert.equal(run.flags.getText('root'), '/r');
  assert.equal(run.flags.getText('log-format'), 'json');
  assert.equal(run.flags.isSet('detach'), true);
});

test("what stands behind exec's id is the command's", () => {
  const exec = parse('exec -e A=1 --env B=2=3 -td -u 1:2 ID ls -l --all -- x');
  assert.deepEqual(exec.operands, ['ID', 'ls', '-l', '--all', '--', 'x']);
  assert.deepEqual(exec.flags.getList('env'), ['A=1', 'B=2=3']);
  assert.equal(exec.flags.getText('user'), '1:2');
  assert.equal(exec.flags.isSet('tty') && exec.flags.isSet('detach'), true);
  assert.deepEqual(parse('exec -- ID -x').operands, ['ID', '-x']);
  assert.equal(parse('exec ID -t').flags.isSet('tty'), false);
});

test('values stand behind a blank, an equals sign or the letter, and names may have one dash', () => {
  for (const line of [
    'run -b /x I',
    'run -b=/x I',
    'run -b/x I',
    'run --bundle=/x I',
    'run -bundle /x I',
  ]) {
    const { flags, operands } = parse(line);
    assert.equal(flags.getText('bundle'), '/x', line);
    assert.deepEqual(operands, ['I'], line);
  }
  assert.equal(parse('run -db /x I').flags.getText('bundle'), '/x');
  assert.equal(parse('run --bundle= I').flags.getText('bundle'), '');
});

test('switches can be switched off, and the last one counts', () => {
  assert.equal(parse('delete --force=false I').flags.isSet('force'), false);
  assert.equal(parse('delete --force=true I').flags.isSet('force'), true);
  assert.equal(parse('delete -f --force=0 I').flags.isSet('force'), false);
  assert.equal(parse('create --bundle /a --bundle /b I').flags.getText('bundle'), '/b');
});

test('what is wrong is said with its name', () => {
  const wrong: [string, RegExp][] = [
    ['create --nonsense ID', /unknown flag "--nonsense"/],
    ['--nonsense create ID', /unknown flag "--nonsense"/],
    ['create -z ID', /unknown flag "-z"/],
    ['checkpoint ID', /unknown command "checkpoint"/],
    ['__proto__', /unknown command/],
    ['create', /create takes ID/],
    ['state A B', /state takes ID/],
    ['list A', /list takes nothing/],
    ['create ID --bundle', /--bundle needs a value/],
    ['delete --force=perhaps ID', /--force is "perhaps", not true or false/],
    ['create --preserve-fds many ID', /--preserve-fds is "many", not a whole number/],
  ];
  for (const [line, message] of wrong) {
    assert.throws(() => parse(line), { code: 'USAGE', message }, line);
  }
});

test('where to log is known even when what follows is wrong', () => {
  const flags = new FlagValues();
  assert.throws(() => parseArguments(['--log', '/l', '--log-format=json', 'nonsense'], flags));
  assert.equal(flags.getText('log'), '/l');
  assert.equal(flags.getText('log-format'), 'json');
});

test('help and the version need no verb, and help for a verb no operand', () => {
  for (const line of ['', 'help', '--help', '-h', '--version', '-v']) {
    assert.equal(parse(line).verb, undefined, line);
  }
  assert.equal(parse('-v').flags.isSet('version'), true);
  assert.equal(parse('create --help').flags.isSet('help'), true);
  assert.deepEqual(parse('help exec').operands, ['exec']);
});

test('no two flags of a verb have one name or letter', () => {
  const tables: [string, VerbUsage][] = Object.entries(VERB_USAGES);
  for (const [verb, { flags }] of [...tables, ['', { flags: GLOBAL_FLAGS }] as const]) {
    const names = flags.flatMap(({ name, short }) =>
      short === undefined ? [name] : [name, short],
    );
    assert.equal(new Set(names).size, names.length, verb);
  }
  // runc's and crun's --rootless is another one behind this verb.
  assert.equal(parse('spec --rootless').flags.isSet('rootless'), true);
  assert.equal(parse('--rootless auto spec').verb, 'spec');
});
