import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mount } from '../runtime-spec/types.ts';
import { MOUNT_ATTR, MS, parseMountOptions } from './mount-options.ts';
import { translateMounts, translateRootfsPropagation } from './mounts.ts';

const nowhere = () => undefined;

function translate(mount: Mount, bindSource: (source: string) => string | undefined = nowhere) {
  return translateMounts([mount], bindSource)[0];
}

test('option words become flags, propagation and data', () => {
  const cases: [string, bigint, bigint, string][] = [
    ['nosuid,noexec,nodev,ro', MS.NOSUID | MS.NOEXEC | MS.NODEV | MS.RDONLY, 0n, ''],
    ['ro,rw', 0n, 0n, ''],
    ['rw,ro,mode=755,size=64k', MS.RDONLY, 0n, 'mode=755,size=64k'],
    ['noatime,relatime', MS.RELATIME, 0n, ''],
    ['strictatime', MS.STRICTATIME, 0n, ''],
    ['noatime,atime', 0n, 0n, ''],
    ['rprivate,relatime', MS.RELATIME, MS.PRIVATE | MS.REC, ''],
    ['shared,rslave', 0n, MS.SLAVE | MS.REC, ''],
    ['defaults,sync,dirsync,lazytime', MS.SYNCHRONOUS | MS.DIRSYNC | MS.LAZYTIME, 0n, ''],
    ['nosymfollow,iversion,acl', MS.NOSYMFOLLOW | MS.I_VERSION | MS.POSIXACL, 0n, ''],
    ['gid=5,ptmxmode=0666', 0n, 0n, 'gid=5,ptmxmode=0666'],
    ['rro,rnosuid', 0n, 0n, ''],
    ['', 0n, 0n, ''],
  ];
  for (const [words, flags, propagation, data] of cases) {
    const options = parseMountOptions(words.split(','));
    assert.deepEqual(
      [options.flags, options.propagation, options.data],
      [flags, propagation, data],
      words,
    );
  }
});

test('an overlay of the host is bound from where the host has put it, and none is made in the guest', () => {
  const mount = { destination: '/o', type: 'overlay', source: 'overlay', options: ['lowerdir=/a'] };
  const bound = translate(mount, () => '/run/wardian/share/k/bind0');
  assert.deepEqual([bound?.type, bound?.source], ['', '/run/wardian/share/k/bind0']);
  assert.throws(() => translate(mount), { code: 'SPEC_UNSUPPORTED' });
});

test('recursive words become attributes of a whole tree, the later one winning', () => {
  const cases: [string, bigint, bigint][] = [
    ['rro', 1n, 0n],
    ['rro,rrw', 0n, 1n],
    ['rrw,rro,rnosuid', 3n, 0n],
    ['rnoatime', 0x10n, 0x70n],
    ['rnoatime,rrelatime', 0n, 0x70n],
    ['rnodev,rnoexec,rnodiratime,rnosymfollow', 0x20008cn, 0n],
  ];
  for (const [words, set, clear] of cases) {
    const options = parseMountOptions(words.split(','));
    assert.deepEqual([options.recursiveSet, options.recursiveClear], [set, clear], words);
  }
});

test('a remount changes what is there', () => {
  const options = ['remount', 'bind', 'ro'];
  const mount = translate({ destination: '/x', source: '/y', options });
  assert.deepEqual([mount?.type, mount?.source], ['', '']);
  assert.equal(mount?.flags, MS.REMOUNT | MS.BIND | MS.RDONLY);
});

test('flags are the numbers of linux/mount.h', () => {
  const words = 'ro,nosuid,nodev,noexec,sync,mand,dirsync,noatime,nodiratime'.split(',');
  assert.equal(parseMountOptions(words).flags, 3295n);
  assert.equal(parseMountOptions(['rbind']).flags, 20480n);
  assert.equal(parseMountOptions(['rshared']).propagation, (1n << 20n) | 16384n);
});

test('a mount keeps its words in order and its place absolute', () => {
  const options = ['nosuid', 'tmpcopyup', 'mode=1777', 'size=1m', 'rprivate'];
  assert.deepEqual(translate({ destination: 'a/../tmp/', type: 'tmpfs', options }), {
    destination: '/tmp',
    type: 'tmpfs',
    source: 'tmpfs',
    flags: MS.NOSUID,
    data: 'mode=1777,size=1m',
    propagation: MS.PRIVATE | MS.REC,
    copyUp: true,
    recursiveSet: 0n,
    recursiveClear: 0n,
  });
  assert.equal(translate({ destination: '/../../x', type: 'proc' })?.destination, '/x');
  assert.equal(translate({ destination: '/c', type: 'cgroup' })?.type, 'cgroup2');
});

test('binds are refused unless their source is in the guest', () => {
  const bind = { destination: '/data', type: 'bind', source: '/srv', options: ['rbind', 'ro'] };
  assert.throws(() => translate(bind), {
    code: 'SPEC_UNSUPPORTED',
    message: /^mounts\[0\]: \/srv is a place on the host/,
  });
  const mount = translate(bind, (source) => `/shares${source}`);
  assert.equal(mount?.source, '/shares/srv');
  assert.equal(mount?.type, '');
  assert.equal(mount?.flags, MS.BIND | MS.REC | MS.RDONLY);
  const recursive = translate({ ...bind, options: ['rbind', 'rro'] }, (source) => source);
  assert.equal(recursive?.flags, MS.BIND | MS.REC);
  assert.equal(recursive?.recursiveSet, MOUNT_ATTR.RDONLY);
});

test('what a sandbox cannot mean is refused', () => {
  const cases: [Mount, string][] = [
    [{ destination: '/x', type: 'ext4', source: '/dev/sda1' }, 'SPEC_UNSUPPORTED'],
    [{ destination: '/x', type: 'nfs' }, 'SPEC_UNSUPPORTED'],
    [{ destination: '/x', type: 'tmpfs', options: ['idmap'] }, 'SPEC_UNSUPPORTED'],
    [
      {
        destination: '/x',
        type: 'tmpfs',
        uidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
      },
      'SPEC_UNSUPPORTED',
    ],
    [{ destination: '/x' }, 'SPEC_INVALID'],
    [{ destination: '/x/..', type: 'tmpfs' }, 'SPEC_INVALID'],
    [{ destination: '/x', options: ['bind'] }, 'SPEC_INVALID'],
    [{ destination: '/x', type: 'proc', options: ['tmpcopyup'] }, 'SPEC_INVALID'],
    [{ destination: '/x', type: 'tmpfs', options: ['x'.repeat(4096)] }, 'SPEC_INVALID'],
  ];
  for (const [mount, code] of cases) {
    assert.throws(() => translate(mount), { code }, JSON.stringify(mount).slice(0, 80));
  }
});

test('the propagation of the root is one word', () => {
  assert.equal(translateRootfsPropagation(undefined), 0n);
  assert.equal(translateRootfsPropagation('rslave'), MS.SLAVE | MS.REC);
  assert.throws(() => translateRootfsPropagation('loud'), { code: 'SPEC_INVALID' });
});
