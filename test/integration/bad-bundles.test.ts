import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { listBadBundles, listOddBundles } from '../support/bad-bundles.ts';
import { RuntimeHost, type RuntimeResult } from '../support/runtime-host.ts';

/** A refusal takes tens of milliseconds; the longest waits a second for a hook. */
const LONGEST_MS = 5000;
/** Some odd ones need a machine of a size that has no template yet. */
const LONGEST_ODD_MS = 60_000;

let host: RuntimeHost;
let rootfs: string;

before(async () => {
  host = new RuntimeHost();
  rootfs = path.join(host.host.directory, 'rootfs');
  symlinkSync('loop', path.join(rootfs, 'loop'));
  symlinkSync('/tmp', path.join(rootfs, 'out'));
  // The first start may make a template, which is not what is timed here.
  await host.succeed('run', '-b', host.makeBundle('first'), 'first');
});
after(() => host.close());

describe('a bundle that cannot be run is refused with its reason, in time, and leaves nothing', () => {
  for (const { name, config, message } of listBadBundles('@ROOTFS@', '@CGROUP@')) {
    it(name, async () => {
      const began = Date.now();
      const { exitCode, stdout, stderr } = await runBundle(config);
      assert.match(stderr, message);
      assert.deepEqual([exitCode, stdout], [1, '']);
      assert.match(stderr, /^wardian-runtime: [^\n]{1,8192}\n$/);
      assert.doesNotMatch(stderr, /[0-9a-f]{64}|undefined|\[object/);
      assert.ok(Date.now() - began < LONGEST_MS, `it took ${Date.now() - began} ms`);
      assertNothingLeft();
    });
  }
});

describe('a bundle that only looks wrong runs', () => {
  for (const { name, config } of listOddBundles('@ROOTFS@', '@CGROUP@')) {
    it(name, async () => {
      const began = Date.now();
      const { exitCode, stderr } = await runBundle(config);
      assert.equal(exitCode, 0, stderr);
      assert.ok(Date.now() - began < LONGEST_ODD_MS);
      assertNothingLeft();
    });
  }
});

describe('an id that is none is refused', () => {
  for (const id of ['../x', '.', '..', 'a/b', 'a b', '', 'a\nb', 'é']) {
    it(JSON.stringify(id), async () => {
      const { exitCode, stderr } = await host.run(['run', '-b', host.makeBundle('id'), id]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /invalid container id/);
      assertNothingLeft();
    });
  }
});

function runBundle(config: string | undefined): Promise<RuntimeResult> {
  const bundle = path.join(host.host.directory, 'bundle-bad');
  rmSync(bundle, { recursive: true, force: true });
  mkdirSync(bundle);
  symlinkSync('loop', path.join(bundle, 'loop'));
  const text = config?.replaceAll('@ROOTFS@', rootfs).replaceAll('@CGROUP@', `${host.cgroup}/bad`);
  if (text !== undefined) writeFileSync(path.join(bundle, 'config.json'), text);
  return host.run(['run', '--bundle', bundle, 'bad']);
}

/** No state, cgroup, mount, machine, stub or process of a hook. */
function assertNothingLeft(): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const sandboxer = host.host.getSandboxerPid();
  assert.deepEqual(
    {
      leftovers: host.listLeftovers(),
      mounts: mounts.filter((line) => line.includes(host.host.directory)),
      sandboxes: readdirSync(path.join(host.host.runtimeDirectory, 'sandboxes')),
      processes: host.host.getProcesses().filter(({ pid }) => pid !== sandboxer),
    },
    { leftovers: [], mounts: [], sandboxes: [], processes: [] },
  );
}
