import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MAX_LOAD_PER_CPU,
  type PoolMemberFacts,
  type PoolSituation,
  planPool,
  SCARCE_BYTES,
  SPARE_BYTES,
} from './pool-policy.ts';

const MIB = 2 ** 20;

function plan(changes: Partial<PoolSituation> & { members?: readonly PoolMemberFacts[] }) {
  return planPool({
    limits: { size: 2, memoryBytes: 400 * MIB },
    recent: ['small'],
    members: [],
    expectedBytes: 80 * MIB,
    availableBytes: 16 * 1024 * MIB,
    loadPerCpu: 0.5,
    ...changes,
  });
}

function member(id: string, key: string, mebibytes = 80): PoolMemberFacts {
  return { id, key, bytes: mebibytes * MIB };
}

test('nothing is made before anybody asked for something', () => {
  assert.deepEqual(plan({ recent: [] }), { drop: [], make: undefined });
});

test('members are made one by one until there are enough', () => {
  assert.deepEqual(plan({}), { drop: [], make: 'small' });
  assert.deepEqual(plan({ members: [member('a', 'small')] }), { drop: [], make: 'small' });
  const members = [member('a', 'small'), member('b', 'small')];
  assert.deepEqual(plan({ members }), { drop: [], make: undefined });
});

test('of a kind that is forked there is one', () => {
  const forked = new Set(['small']);
  assert.equal(plan({ forked }).make, 'small');
  const members = [member('a', 'small')];
  assert.deepEqual(plan({ forked, members }), { drop: [], make: undefined });
  assert.equal(
    plan({ forked, members, limits: { size: 0, memoryBytes: 400 * MIB } }).make,
    undefined,
  );
});

test('what was asked for last is made first', () => {
  assert.equal(plan({ recent: ['large', 'small'] }).make, 'large');
  const members = [member('a', 'large'), member('b', 'large')];
  assert.equal(plan({ recent: ['large', 'small'], members }).make, 'small');
});

test('machines of a kind that nobody asks for any more go', () => {
  const members = [member('a', 'outdated'), member('b', 'small')];
  assert.deepEqual(plan({ members, limits: { size: 1, memoryBytes: 400 * MIB } }), {
    drop: ['a'],
    make: undefined,
  });
});

test('the memory of all together has a ceiling, and the oldest kinds make room', () => {
  const limits = { size: 1, memoryBytes: 200 * MIB };
  const members = [member('a', 'small'), member('b', 'medium')];
  const recent = ['large', 'medium', 'small'];
  assert.deepEqual(plan({ limits, recent, members }), { drop: ['a'], make: 'large' });
});

test('a member that is larger than was thought goes when the ceiling demands it', () => {
  const limits = { size: 2, memoryBytes: 200 * MIB };
  const members = [member('a', 'small', 120), member('b', 'small', 120)];
  assert.deepEqual(plan({ limits, members }), { drop: ['b'], make: undefined });
  assert.deepEqual(plan({ limits: { size: 2, memoryBytes: 10 * MIB }, members }), {
    drop: ['a', 'b'],
    make: undefined,
  });
});

test('a pool that is switched off keeps nothing', () => {
  const members = [member('a', 'small')];
  const limits = { size: 0, memoryBytes: 400 * MIB };
  assert.deepEqual(plan({ limits, members }), { drop: ['a'], make: undefined });
});

test('a host with little to spare gets no further member, and one in need gets all back', () => {
  const members = [member('a', 'small')];
  const little = SPARE_BYTES + 79 * MIB;
  assert.deepEqual(plan({ members, availableBytes: little }), { drop: [], make: undefined });
  assert.equal(plan({ members, availableBytes: little + MIB }).make, 'small');
  const need = SCARCE_BYTES - 1;
  assert.deepEqual(plan({ members, availableBytes: need }), { drop: ['a'], make: undefined });
});

test('a host that is far behind with its work gets no more of it, and keeps what it has', () => {
  const loadPerCpu = MAX_LOAD_PER_CPU + 0.1;
  const members = [member('a', 'medium')];
  const situation = { recent: ['small', 'medium'], members, loadPerCpu };
  assert.deepEqual(plan(situation), { drop: [], make: undefined });
});
