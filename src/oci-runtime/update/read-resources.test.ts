import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { FlagValues } from '../arguments/flags.ts';
import { parseArguments } from '../arguments/parse-arguments.ts';
import { readResources } from './read-resources.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'wardian-update-'));
after(() => rmSync(folder, { recursive: true }));

const read = (...words: string[]) =>
  readResources(parseArguments(['update', ...words, 'box'], new FlagValues()).flags);

function write(text: string): string {
  const file = path.join(folder, 'resources.json');
  writeFileSync(file, text);
  return file;
}

describe('what is to be updated', () => {
  it('is in flags', () => {
    const words = [
      '--memory',
      '512m',
      '--memory-swap=-1',
      '--cpu-quota',
      '50000',
      '--cpu-idle',
      '1',
    ];
    assert.deepEqual(read(...words, '--pids-limit', '-1', '--cpuset-cpus', '0-1'), {
      memory: { limit: 512n << 20n, swap: -1n },
      cpu: { quota: 50_000n, idle: 1, cpus: '0-1' },
      pids: { limit: -1n },
    });
    assert.equal(read('--memory', '2GiB').memory?.limit, 2n << 30n);
    assert.equal(read('--memory', '9223372036854775807').memory?.limit, 2n ** 63n - 1n);
  });

  it('is in a file, where flags win', () => {
    const file = write(
      '{"memory": {"limit": 9223372036854771712, "swap": 5}, "cpu": {"shares": 0}}',
    );
    assert.deepEqual(read('--resources', file, '--memory-swap', '7', '--blkio-weight', '10'), {
      memory: { limit: 9_223_372_036_854_771_712n, swap: 7n },
      cpu: { shares: 0n },
      blockIO: { weight: 10 },
    });
  });

  it('is refused when it is malformed', () => {
    const cases: [string[], string, RegExp][] = [
      [[], 'USAGE', /nothing to update/],
      [['--memory', '5x'], 'USAGE', /--memory is "5x", not a size/],
      [['--memory', '-5'], 'USAGE', /not a size/],
      [['--memory', '9999999999999999999'], 'SPEC_INVALID', /linux\.resources\.memory\.limit/],
      [['--cpuset-cpus', 'all'], 'SPEC_INVALID', /linux\.resources\.cpu\.cpus is "all"/],
      [['--blkio-weight', '-3'], 'SPEC_INVALID', /blockIO\.weight/],
      [['--l3-cache-schema', 'x'], 'SPEC_UNSUPPORTED', /--l3-cache-schema/],
      [['--resources', '/no/such'], 'PATH_NOT_FOUND', /no such file or directory/],
      [['--resources', write('{"memory": 1}')], 'SPEC_INVALID', /memory is 1, not an object/],
    ];
    for (const [words, code, message] of cases) {
      assert.throws(() => read(...words), { code, message }, words.join(' '));
    }
    const file = write('{"memory":');
    assert.throws(() => read('--resources', file), { code: 'SPEC_INVALID', message: /offset 10/ });
  });
});
