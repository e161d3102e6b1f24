import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { extractErofs, readFolder, skipWithout } from '../../test/support/erofs-tools.ts';
import { makeLayer, makeLayout, makeTar, writeFolder } from '../../test/support/oci-layout.ts';
import { ImageStore } from './image-store.ts';

/*
 * Images as the usual tools make them, which is what people will bring.
 */

const run = promisify(execFile);
const folder = await mkdtemp(path.join(os.tmpdir(), 'wardian-builders-'));
after(() => rm(folder, { recursive: true }));

const skipFsck = skipWithout('fsck.erofs', 'erofs-utils');
const skipUmoci = skipFsck || skipWithout('umoci');
const skipSkopeo = skipFsck || skipWithout('skopeo');
const skipBuildah = skipFsck || skipWithout('buildah');
const isRoot = process.getuid?.() === 0;

test('umoci: two layers, hard links, a removed folder', { skip: skipUmoci }, async () => {
  const layout = path.join(folder, 'umoci');
  const bundle = path.join(folder, 'bundle');
  const root = path.join(bundle, 'rootfs');
  const rootless = isRoot ? [] : ['--rootless'];
  const umoci = (...argv: string[]) => run('umoci', argv);
  await umoci('init', '--layout', layout);
  await umoci('new', '--image', `${layout}:base`);
  await umoci('unpack', ...rootless, '--image', `${layout}:base`, bundle);
  await writeFile(path.join(root, 'a'), 'a');
  await link(path.join(root, 'a'), path.join(root, 'b'));
  await mkdir(path.join(root, 'dir/gone'), { recursive: true });
  await umoci('repack', '--refresh-bundle', '--image', `${layout}:one`, bundle);
  await rm(path.join(root, 'dir/gone'), { recursive: true });
  await symlink('../a', path.join(root, 'dir/l'));
  await chmod(path.join(root, 'b'), 0o700);
  await umoci('repack', '--image', `${layout}:two`, bundle);

  const store = new ImageStore(path.join(folder, 'umoci-data'));
  await store.load(layout);
  const target = path.join(folder, 'umoci-tree');
  await extractErofs((await store.find('umoci:two')).erofsPath, target);
  assert.deepEqual(await readFolder(target), await readFolder(root));
  assert.equal((await store.find('umoci:base')).names.length, 1);
});

test('skopeo: the same image through each of its formats', { skip: skipSkopeo }, async () => {
  const tar = makeTar([
    { name: 'etc/group', content: 'root:x:0:\n' },
    { name: 'f', mode: 0o750 },
  ]);
  const files = makeLayout({ layers: [makeLayer(tar)], refName: 'v1' });
  const layout = await writeFolder(path.join(folder, 'layout'), files);
  const formats = {
    'oci-archive:oci.tar:team/app:1': 'localhost/team/app:1',
    'docker-archive:docker.tar:team/app:1': 'docker.io/team/app:1',
    'oci:copy:v2': 'localhost/copy:v2',
  };
  const contents = new Set<string>();
  for (const [destination, name] of Object.entries(formats)) {
    const argv = ['--insecure-policy', 'copy', `oci:${layout}:v1`, destination];
    await run('skopeo', argv, { cwd: folder });
    const store = new ImageStore(path.join(folder, name));
    const source = path.join(folder, destination.split(':')[1] ?? '');
    const [record] = await store.load(source);
    assert.deepEqual(record?.names, [name]);
    assert.equal(record?.group, 'root:x:0:\n');
    contents.add(path.basename(record?.erofsPath ?? ''));
  }
  assert.equal(contents.size, 1);
});

test('buildah: from scratch, in both formats', { skip: skipBuildah }, async (context) => {
  if (!isRoot) return context.skip('buildah needs root or a user namespace of its own');
  const base = path.join(folder, 'buildah');
  await mkdir(base);
  const storage = ['--storage-driver', 'vfs', '--root', `${base}/root`, '--runroot', `${base}/run`];
  const buildah = async (...argv: string[]) =>
    (await run('buildah', [...storage, ...argv])).stdout.trim();
  await writeFile(path.join(base, 'hello'), 'hello\n', { mode: 0o755 });
  const container = await buildah('from', 'scratch');
  await buildah('copy', container, path.join(base, 'hello'), '/bin/hello');
  await buildah('config', '--entrypoint', '["/bin/hello"]', '--env', 'A=1', container);
  for (const format of ['oci-archive', 'docker-archive']) {
    const archive = path.join(base, `${format}.tar`);
    await buildah('commit', container, `${format}:${archive}:localhost/hello:1`);
    const store = new ImageStore(path.join(base, `${format}-data`));
    const [record] = await store.load(archive);
    assert.deepEqual(record?.names, ['localhost/hello:1']);
    assert.deepEqual(record?.config.entrypoint, ['/bin/hello']);
    assert.ok(record?.config.env.includes('A=1'));
    const target = path.join(base, `${format}-tree`);
    await extractErofs(record?.erofsPath ?? '', target);
    assert.equal((await readFolder(target)).get('bin/hello')?.content, 'hello\n');
  }
});
