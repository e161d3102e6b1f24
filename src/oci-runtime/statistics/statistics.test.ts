import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { describeStatistics } from './describe-event.ts';
import { readHostFigures } from './host-figures.ts';
import { parseInterval } from './parse-interval.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'wardian-figures-'));
after(() => rmSync(folder, { recursive: true }));

const CPU_1 = 'nr_periods 10\nnr_throttled 3\nthrottled_time 5000\n';
const CPU_2 = 'usage_usec 9\nnr_periods 10\nnr_throttled 3\nthrottled_usec 5\n';

describe("a container's figures on the host", () => {
  const read = (files: Record<string, string>) => {
    const directory = mkdtempSync(path.join(folder, 'cgroup-'));
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(path.join(directory, name), text);
    }
    return readHostFigures(() => directory);
  };
  const figures = { periods: 10, throttledPeriods: 3, throttledNanoseconds: 5000 };

  it('are those of either version', () => {
    const events = 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n';
    assert.deepEqual(read({ 'cpu.stat': CPU_1, 'memory.oom_control': events }), {
      ...figures,
      outOfMemoryKills: 2,
    });
    assert.deepEqual(read({ 'cpu.stat': CPU_2, 'memory.events': 'low 0\noom 1\noom_kill 4\n' }), {
      ...figures,
      outOfMemoryKills: 4,
    });
  });

  it('are none without a cgroup', () => {
    const none = { periods: 0, throttledPeriods: 0, throttledNanoseconds: 0, outOfMemoryKills: 0 };
    assert.deepEqual(
      readHostFigures(() => undefined),
      none,
    );
  });

  it('are told in the form of runc', () => {
    const guest = {
      cpuUsageMicroseconds: 7,
      memoryBytes: 100,
      memoryPeakBytes: 200,
      memoryLimitBytes: 300,
      pids: 2,
      outOfMemoryKills: 0,
    };
    const event = JSON.parse(
      JSON.stringify(describeStatistics('box', guest, { ...figures, outOfMemoryKills: 0 })),
    );
    assert.deepEqual([event.type, event.id, event.data.cpu.usage.total], ['stats', 'box', 7000]);
    assert.deepEqual(event.data.memory.usage, { usage: 100, max: 200, limit: 300, failcnt: 0 });
    assert.deepEqual(event.data.cpu.throttling, {
      periods: 10,
      throttledPeriods: 3,
      throttledTime: 5000,
    });
  });
});

describe('the time between figures', () => {
  it('is written as in Go', () => {
    const cases: Record<string, number> = {
      '1m30s': 90_000,
      '500ms': 500,
      '2': 2000,
      '1.5s': 1500,
    };
    for (const [text, milliseconds] of Object.entries(cases)) {
      assert.equal(parseInterval(text), milliseconds, text);
    }
    assert.equal(parseInterval(undefined), 5000);
  });

  it('is refused when it is none', () => {
    for (const text of ['', '5x', 's', '-1s', '0', '1s 2s', '999999999h']) {
      assert.throws(() => parseInterval(text), { code: 'USAGE' }, text);
    }
  });
});
