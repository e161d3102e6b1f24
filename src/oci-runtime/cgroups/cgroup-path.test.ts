import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { placeCgroup } from './cgroup-path.ts';

const place = (cgroupsPath: string | undefined, manager: 'cgroupfs' | 'systemd' = 'cgroupfs') =>
  placeCgroup(cgroupsPath, 'box', manager).path;

describe("the place of a container's cgroup", () => {
  it('is what an absolute path says, or one of ours', () => {
    assert.equal(place('/libpod_parent/libpod-1'), '/libpod_parent/libpod-1');
    assert.equal(place('/a//b/./c/'), '/a/b/c');
    assert.equal(place(undefined), '/wardian-runtime/box');
    assert.equal(place(''), '/wardian-runtime/box');
  });

  it('is below our own cgroup when the path is relative', () => {
    assert.deepEqual(placeCgroup('a/b', 'box', 'cgroupfs'), { path: '/a/b', isRelative: true });
    assert.equal(placeCgroup('/a', 'box', 'cgroupfs').isRelative, false);
  });

  it('never leaves the tree, and is never its top', () => {
    assert.equal(place('/../../etc'), '/etc');
    assert.equal(place('../../x'), '/x');
    for (const top of ['/', '//', '.', '..', '/a/..', './']) {
      assert.throws(() => place(top), { code: 'SPEC_INVALID' }, top);
    }
  });

  it('is where systemd would put the unit', () => {
    const cases = {
      'user-1000.slice:libpod:abc': '/user.slice/user-1000.slice/libpod-abc.scope',
      ':docker:abc': '/system.slice/docker-abc.scope',
      '-.slice:cri:abc': '/cri-abc.scope',
      'a-b-c.slice::abc': '/a.slice/a-b.slice/a-b-c.slice/abc.scope',
      'machine.slice:x:pod.slice': '/machine.slice/pod.slice',
    };
    for (const [path, expected] of Object.entries(cases)) {
      assert.equal(place(path, 'systemd'), expected, path);
    }
    assert.equal(place(undefined, 'systemd'), '/system.slice/wardian-runtime-box.scope');
  });

  it('is refused when it is no name of systemd', () => {
    const wrong = ['/a/b', 'a:b', 'a.slice:b:c:d', 'a:b:c', 'a--b.slice:x:y', '.slice:x:y'];
    for (const path of [...wrong, 'a.slice:../x:y', 'a.slice:x:..', 'a.slice:x:']) {
      assert.throws(() => place(path, 'systemd'), { code: 'SPEC_INVALID' }, path);
    }
  });
});
