import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import type { Hook } from '../../oci/runtime-spec/types.ts';
import type { HookRun } from '../host-work.ts';
import { runAllHooks, runHooks } from './run-hooks.ts';

const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'wardian-hooks-')));
after(() => rmSync(folder, { recursive: true }));

const state = {
  ociVersion: '1.2.0',
  id: 'box',
  status: 'creating',
  pid: 42,
  bundle: '/b',
} as const;
const output = path.join(folder, 'output');

const run = (...hooks: Hook[]): HookRun => ({
  kind: 'prestart',
  hooks,
  state,
  workingDirectory: folder,
});
const shell = (script: string, rest: Partial<Hook> = {}): Hook => ({
  path: '/bin/sh',
  args: ['sh', '-c', script],
  env: [`OUT=${output}`],
  ...rest,
});
const failure = (hook: Hook) =>
  runHooks(run(hook)).then(
    () => assert.fail('it did not fail'),
    (error: Error) => error,
  );

describe('hooks', () => {
  it('get the state on stdin, their own environment, and the bundle as their folder', async () => {
    const hook = shell('cat >"$OUT"; pwd >>"$OUT"; /usr/bin/env >>"$OUT"');
    hook.env?.push('B==x=', 'EMPTY');
    await runHooks(run(hook));
    const [first = '', ...rest] = readFileSync(output, 'utf8').split('\n');
    const [json, cwd] = [
      first.slice(0, first.indexOf('}') + 1),
      first.slice(first.indexOf('}') + 1),
    ];
    assert.deepEqual(JSON.parse(json), state);
    assert.equal(cwd, folder);
    const names = rest.filter((line) => !/^(PWD|OLDPWD|_|SHLVL)=/.test(line) && line !== '');
    assert.deepEqual(names.sort(), ['B==x=', 'EMPTY=', `OUT=${output}`]);
  });

  it('are called what their first argument says', async () => {
    const hook = shell('', { args: ['another-name', '-c', 'echo "$0" >"$OUT"'] });
    await runHooks(run(hook));
    assert.equal(readFileSync(output, 'utf8'), 'another-name\n');
  });

  it('run in order, until one fails', async () => {
    const hooks = ['a', 'b', 'c'].map((letter) =>
      shell(`echo ${letter} >>"$OUT"; test ${letter} != b`),
    );
    writeFileSync(output, '');
    await assert.rejects(runHooks(run(...hooks)), { code: 'HOOK_FAILED', message: /hook #1/ });
    assert.equal(readFileSync(output, 'utf8'), 'a\nb\n');
    const failures = await runAllHooks(run(...hooks));
    assert.equal(readFileSync(output, 'utf8'), 'a\nb\na\nb\nc\n');
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['HOOK_FAILED'],
    );
  });

  it('are quoted when they fail', async () => {
    const { message } = await failure(shell('echo "no luck: permission denied" >&2; exit 7'));
    assert.equal(
      message,
      'error running prestart hook #0 (/bin/sh): exit status 7: no luck: permission denied',
    );
    assert.match((await failure(shell('kill -9 $$'))).message, /signal SIGKILL ended it$/);
    const long = await failure(
      shell('i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; exit 1'),
    );
    assert.ok(long.message.length < 5000);
  });

  it('say why they could not be started', async () => {
    assert.match((await failure({ path: '/no/such' })).message, /no such file or directory$/);
    const plain = path.join(folder, 'plain');
    writeFileSync(plain, 'text', { mode: 0o600 });
    assert.match((await failure({ path: plain })).message, /permission denied$/);
  });

  it('end with all that they started when their time is over', async () => {
    const began = Date.now();
    const { message } = await failure(shell('sleep 61.5 & wait', { timeout: 1 }));
    assert.match(message, /did not end within 1 s$/);
    assert.ok(Date.now() - began < 10_000);
  });

  it('may leave something running, which nobody waits for', async () => {
    const began = Date.now();
    await runHooks(run(shell('sleep 5 & echo $! >"$OUT"')));
    assert.ok(Date.now() - began < 4000);
    process.kill(Number(readFileSync(output, 'utf8')), 'SIGKILL');
  });

  it('need not read their stdin', async () => {
    const annotations = { big: 'x'.repeat(1_000_000) };
    await runHooks({ ...run({ path: '/bin/true' }), state: { ...state, annotations } });
  });
});
