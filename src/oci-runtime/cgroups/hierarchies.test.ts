import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findHierarchies } from './hierarchies.ts';

const SOURCES = { ownCgroups: '', readControllers: () => 'cpuset cpu io memory hugetlb pids\n' };
const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';
const HYBRID = [
  '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
  '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
  '40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup none rw,xattr,release_agent=/x,name=systemd',
  '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
].join('\n');

describe('the cgroup trees of a host', () => {
  it('is one of version 2', () => {
    const found = findHierarchies({ ...SOURCES, mountInfo: V2, ownCgroups: '0::/user/a:b\n' });
    assert.deepEqual(found, [
      {
        version: 2,
        controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'],
        mountPoint: '/sys/fs/cgroup',
        ownPath: '/user/a:b',
      },
    ]);
  });

  it('is all of version 1 where both are mounted', () => {
    const ownCgroups = '4:memory:/x/y\n3:cpuacct,cpu:/z\n2:name=systemd:/\n0::/\n';
    const found = findHierarchies({ ...SOURCES, mountInfo: HYBRID, ownCgroups });
    assert.deepEqual(
      found.map(({ version, controllers, ownPath }) => [version, controllers.join(), ownPath]),
      [
        [1, 'cpu,cpuacct', '/z'],
        [1, 'memory', '/x/y'],
        [1, 'name=systemd', '/'],
      ],
    );
  });

  it('is version 2 beside a version 1 that only names groups', () => {
    const mountInfo = HYBRID.split('\n')
      .filter((line) => !line.includes('/cpu') && !line.includes('/memory'))
      .join('\n');
    assert.deepEqual(
      findHierarchies({ ...SOURCES, mountInfo }).map(({ mountPoint }) => mountPoint),
      ['/sys/fs/cgroup/unified'],
    );
  });

  it('begins where a container sees it begin', () => {
    const mountInfo = '9 1 0:26 /box/1 /my\\040cgroups rw - cgroup2 cgroup2 rw';
    const [found] = findHierarchies({ ...SOURCES, mountInfo, ownCgroups: '0::/box/1/sub' });
    assert.deepEqual([found?.mountPoint, found?.ownPath], ['/my cgroups', '/sub']);
    const [outside] = findHierarchies({ ...SOURCES, mountInfo, ownCgroups: '0::/other' });
    assert.equal(outside?.ownPath, '/');
  });

  it('is taken once where it is mounted twice', () => {
    const mountInfo = `${V2}\n${V2.replace('/sys/fs/cgroup', '/elsewhere')}`;
    assert.equal(findHierarchies({ ...SOURCES, mountInfo }).length, 1);
  });

  it('says so when there is none', () => {
    assert.throws(() => findHierarchies({ ...SOURCES, mountInfo: '' }), {
      code: 'HOST_SETUP_MISSING',
    });
  });
});
