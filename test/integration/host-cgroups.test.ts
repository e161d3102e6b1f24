import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { deleteHostCgroups } from '../../src/oci-runtime/cgroups/delete-cgroups.ts';
import { findHierarchies, type Hierarchy } from '../../src/oci-runtime/cgroups/hierarchies.ts';
import {
  type CgroupRequest,
  createHostCgroups,
  updateHostCgroups,
} from '../../src/oci-runtime/cgroups/host-cgroups.ts';

/** No other container has these. */
const ID = `test-${process.pid}`;
const PARENT = `/wardian-test-${process.pid}`;
const UNIFIED = '/sys/fs/cgroup/unified';
const MEBIBYTE = 1024n * 1024n;

const request = (changes: Partial<CgroupRequest> = {}): CgroupRequest => ({
  cgroupsPath: `${PARENT}/${ID}`,
  id: ID,
  resources: {},
  manager: 'cgroupfs',
  mayBeMissing: false,
  ...changes,
});

const read = (directories: readonly string[], file: string): string | undefined => {
  const found = directories.map((directory) => `${directory}/${file}`).find(existsSync);
  return found === undefined ? undefined : readFileSync(found, 'utf8').trim();
};

const canMake = process.getuid?.() === 0 && findHierarchiesHere().length > 0;
const skip = canMake ? false : 'only root makes cgroups, where a tree of them is mounted writable';

function findHierarchiesHere(): Hierarchy[] {
  try {
    const hierarchies = findHierarchies();
    const probe = `${hierarchies[0]?.mountPoint}${PARENT}`;
    mkdirSync(probe);
    rmdirSync(probe);
    return hierarchies;
  } catch {
    return []; // none mounted, or read-only: said by the skip
  }
}

/** Kernels can be started without. */
function hasSwapLimits(): boolean {
  const probe = createHostCgroups(request());
  const files = ['memory.memsw.limit_in_bytes', 'memory.swap.max'];
  const found = files.some((file) => read(probe.directories, file) !== undefined);
  for (const directory of probe.made.toReversed()) rmdirSync(directory);
  return found;
}

/** Everything below `above` is gone from every tree. */
function assertNothingLeft(...above: string[]): void {
  const left = findHierarchies().flatMap(({ mountPoint }) =>
    above.map((path) => mountPoint + path).filter(existsSync),
  );
  assert.deepEqual(left, []);
}

describe("a container's cgroups on the host", { skip }, () => {
  it('are made in every tree, take processes, and vanish with what was made for them', async () => {
    const cgroups = createHostCgroups(request());
    assert.equal(cgroups.directories.length, findHierarchies().length);
    assert.ok(cgroups.directories.every(existsSync));
    const child = spawn('sleep', ['60']);
    const ended = once(child, 'exit');
    for (const directory of cgroups.directories) {
      writeFileSync(`${directory}/cgroup.procs`, String(child.pid));
    }
    await deleteHostCgroups(cgroups);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assertNothingLeft(PARENT);
    await deleteHostCgroups(cgroups); // once more is no error
  });

  it('have the limits asked for, with room for the machine', async () => {
    const resources = {
      memory: { limit: 64n * MEBIBYTE },
      cpu: { shares: 512n, quota: 50_000n, period: 100_000n },
      pids: { limit: 10n },
    };
    const cgroups = createHostCgroups(request({ resources }));
    try {
      const limit = read(cgroups.directories, 'memory.limit_in_bytes');
      const bytes = BigInt(limit ?? read(cgroups.directories, 'memory.max') ?? 0);
      assert.ok(bytes > 64n * MEBIBYTE && bytes < 1024n * MEBIBYTE, String(bytes));
      const quota = read(cgroups.directories, 'cpu.cfs_quota_us');
      assert.equal(quota ?? read(cgroups.directories, 'cpu.max')?.split(' ')[0], '50000');
      assert.ok(Number(read(cgroups.directories, 'pids.max')) > 10);

      updateHostCgroups(cgroups, { memory: { limit: 32n * MEBIBYTE }, cpu: { quota: -1n } });
      const lowered = read(cgroups.directories, 'memory.limit_in_bytes');
      assert.ok(BigInt(lowered ?? read(cgroups.directories, 'memory.max') ?? 0) < bytes);
    } finally {
      await deleteHostCgroups(cgroups);
    }
    assertNothingLeft(PARENT);
  });

  it('raise memory and swap together, whichever has to go first', async (t) => {
    const both = (mebibytes: bigint) => ({
      memory: { limit: mebibytes * MEBIBYTE, swap: mebibytes * MEBIBYTE },
    });
    if (!hasSwapLimits()) {
      t.skip('this host does not count swap');
      return;
    }
    const cgroups = createHostCgroups(request({ resources: both(64n) }));
    try {
      for (const mebibytes of [512n, 64n, 1024n]) updateHostCgroups(cgroups, both(mebibytes));
    } finally {
      await deleteHostCgroups(cgroups);
    }
  });

  it('leave nothing behind when the kernel refuses a limit', () => {
    const resources = { memory: { limit: 64n * MEBIBYTE }, cpu: { cpus: '4000-4001' } };
    assert.throws(() => createHostCgroups(request({ resources })), {
      code: 'SPEC_INVALID',
      message: /linux\.resources\.cpu\.cpus: the kernel refuses 4000-4001/,
    });
    assertNothingLeft(PARENT);
  });

  it('are refused where somebody else lives', async () => {
    const first = createHostCgroups(request());
    const child = spawn('sleep', ['60']);
    try {
      writeFileSync(`${first.directories[0]}/cgroup.procs`, String(child.pid));
      assert.throws(() => createHostCgroups(request()), /is not empty/);
      assert.ok(existsSync(first.directories[0] as string), 'the other one was touched');
    } finally {
      await deleteHostCgroups(first);
    }
  });

  it('share a parent, which the last one removes', async () => {
    const [first, second] = ['a', 'b'].map((id) =>
      createHostCgroups(request({ cgroupsPath: undefined, id: `${ID}-${id}` })),
    );
    assert.ok(first && second);
    assert.match(first.directories[0] ?? '', new RegExp(`/wardian-runtime/${ID}-a$`));
    await deleteHostCgroups(first);
    assert.ok(second.directories.every(existsSync));
    await deleteHostCgroups(second);
    assertNothingLeft(`/wardian-runtime/${ID}-a`, `/wardian-runtime/${ID}-b`);
  });

  it('keep folders above that were there before', async () => {
    const folders = findHierarchies().map(({ mountPoint }) => mountPoint + PARENT);
    for (const folder of folders) mkdirSync(folder);
    try {
      await deleteHostCgroups(createHostCgroups(request()));
      assert.ok(folders.every(existsSync));
    } finally {
      for (const folder of folders) rmdirSync(folder);
    }
  });

  it('can be none at all', async () => {
    const none = createHostCgroups(request({ manager: 'disabled' }));
    assert.deepEqual(none, { directories: [], made: [] });
    updateHostCgroups(none, { pids: { limit: 1n } });
    await deleteHostCgroups(none);
  });

  it('are made in a tree of version 2', {
    skip: existsSync(`${UNIFIED}/cgroup.controllers`) ? false : `nothing is mounted on ${UNIFIED}`,
  }, async () => {
    const controllers = readFileSync(`${UNIFIED}/cgroup.controllers`, 'utf8').trim().split(' ');
    const tree: Hierarchy = { version: 2, controllers, mountPoint: UNIFIED, ownPath: '/' };
    const enabled = readFileSync(`${UNIFIED}/cgroup.subtree_control`, 'utf8');
    const resources = { hugepageLimits: [{ pageSize: '2MB', limit: 2n * MEBIBYTE }] };
    const cgroups = createHostCgroups(request({ resources }), [tree]);
    const child = spawn('sleep', ['60']);
    const ended = once(child, 'exit');
    try {
      if (controllers.includes('hugetlb')) {
        assert.equal(read(cgroups.directories, 'hugetlb.2MB.max'), String(2n * MEBIBYTE));
      }
      mkdirSync(`${cgroups.directories[0]}/below`);
      writeFileSync(`${UNIFIED}${PARENT}/${ID}/cgroup.procs`, String(child.pid));
    } finally {
      await deleteHostCgroups(cgroups);
      for (const name of controllers.filter((name) => !enabled.includes(name))) {
        writeFileSync(`${UNIFIED}/cgroup.subtree_control`, `-${name}`);
      }
    }
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.equal(existsSync(UNIFIED + PARENT), false);
  });

  it('name what a host does not have', {
    skip: existsSync(`${UNIFIED}/cgroup.controllers`) ? false : `nothing is mounted on ${UNIFIED}`,
  }, () => {
    const tree: Hierarchy = { version: 2, controllers: [], mountPoint: UNIFIED, ownPath: '/' };
    const resources = { memory: { limit: 64n * MEBIBYTE } };
    assert.throws(() => createHostCgroups(request({ resources }), [tree]), {
      code: 'SPEC_UNSUPPORTED',
      message: /linux\.resources\.memory\.limit is \d+, and this host has no memory\.max/,
    });
    assert.equal(existsSync(UNIFIED + PARENT), false);
  });
});
