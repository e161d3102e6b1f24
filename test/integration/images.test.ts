import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import {
  type DebianImages,
  FOREIGN,
  LIST_TREE,
  prepareDebianImages,
  run,
  skipWithoutDebian,
} from '../support/debian-image.ts';
import { TestHost } from '../support/test-host.ts';

/*
 * Images as people bring them: Debian with Python and layers of everything a file system can get wrong, packed by the
 * usual tools, loaded, and compared in a guest with the folder that it was made from.
 */

const COPY = ['--insecure-policy', 'copy', '--quiet'];
/** The first run makes the images; a busy machine takes its time over all of them. */
const TIMEOUT_MS = 600_000;

let skip = skipWithoutDebian();
let host: TestHost;
let images: DebianImages;

before(
  async () => {
    host = new TestHost();
    if (skip !== false) return;
    try {
      images = await prepareDebianImages();
    } catch (error) {
      skip = `Debian's images could not be made: ${error instanceof Error ? error.message : error}`;
    }
  },
  { timeout: TIMEOUT_MS },
);
after(() => host.close());

/** A test that needs the Debian images; `before` may have found that there can be none. */
function debianTest(name: string, body: () => Promise<void>): void {
  test(name, { timeout: TIMEOUT_MS }, async (context) => {
    if (skip !== false) return context.skip(skip);
    await body();
  });
}

/** Runs a Python script of ours in a new container. */
function python(script: string, ...flags: string[]): Promise<string> {
  return host.succeed(['run', '--rm', '-i', ...flags, 'odd', 'python3', '-'], { stdin: script });
}

async function load(...arguments_: string[]): Promise<{ Id: string; Names: string[] }[]> {
  return JSON.parse(await host.succeed(['load', '--json', ...arguments_]));
}

/** Content of an image, whatever its configuration: layers of the same content give the same file. */
async function findContent(image: string): Promise<string> {
  const [record] = JSON.parse(await host.succeed(['inspect', image]));
  return path.basename(record.RootFs.Path);
}

/** Lines that only the first has, the first of them: a wall of text says less. */
function difference(one: readonly string[], other: readonly string[]): string[] {
  const known = new Set(other);
  return one.filter((line) => !known.has(line)).slice(0, 20);
}

debianTest('a guest sees what the layers amount to: every name, byte, owner, time', async () => {
  const loaded = await load(images.odd);
  const names = loaded.flatMap(({ Names }) => Names).sort();
  assert.deepEqual(names, ['localhost/odd:configured', 'localhost/odd:latest']);
  const program = await readFile(LIST_TREE, 'utf8');
  const argv = ['run', '--rm', '-i', 'odd', 'python3', '-', '/', ...FOREIGN];
  const seen = (await host.succeed(argv, { stdin: program })).split('\n');
  const made = images.tree.split('\n');
  assert.ok(made.length > 10_000, `${made.length} files`);
  assert.deepEqual(difference(made, seen), []);
  assert.deepEqual(difference(seen, made), []);
});

debianTest('skopeo’s archives hold the same, by gzip and zstd, from file and pipe', async () => {
  const zstd = ['--dest-compress', '--dest-compress-format', 'zstd'];
  const content = await findContent('odd');
  const archive = path.join(host.directory, 'archive.tar');
  const pack = (destination: string, ...flags: string[]) =>
    run('skopeo', [...COPY, ...flags, `oci:${images.odd}:latest`, destination]);
  await pack(`oci-archive:${archive}:gzip:1`);
  await load('-i', archive);
  await rm(archive);
  await pack(`oci-archive:${archive}:zstd:1`, ...zstd);
  await load(archive);
  await rm(archive);
  await pack(`docker-archive:${archive}:docker:1`);
  const printed = await host.succeed(['load'], { stdin: await readFile(archive) });
  await rm(archive);
  assert.match(printed, /^Loaded image: .*docker\.io\/library\/docker:1\n$/);
  for (const name of ['gzip:1', 'zstd:1', 'docker:1']) {
    assert.equal(await findContent(name), content, name);
  }
  await host.succeed(['rmi', 'gzip:1', 'zstd:1', 'docker:1']);
});

debianTest('buildah’s layer lies above the others, and takes away from them', async () => {
  const base = path.join(host.directory, 'buildah');
  await mkdir(base);
  const storage = ['--storage-driver', 'vfs', '--root', `${base}/root`, '--runroot', `${base}/run`];
  const buildah = async (...argv: string[]) => (await run('buildah', [...storage, ...argv])).trim();
  // From an archive: it takes the path of a layout for a name, and does not like it.
  const from = path.join(base, 'from.tar');
  await run('skopeo', [...COPY, `oci:${images.debian}:base`, `docker-archive:${from}:from:1`]);
  const container = await buildah('from', `docker-archive:${from}`);
  await buildah('copy', '--chown', '5:6', container, LIST_TREE, '/opt/copied');
  const mounted = await buildah('mount', container);
  await rm(path.join(mounted, 'usr/share/doc'), { recursive: true });
  await rm(path.join(mounted, 'etc/debian_version'));
  await buildah('config', '--workingdir', '/opt', container);
  const archive = path.join(base, 'built.tar');
  await buildah('commit', container, `oci-archive:${archive}:built:1`);
  await buildah('rm', container);
  await load(archive);
  const script =
    'stat -c %u:%g *; sha256sum <copied; pwd; ls -d /etc/debian_version /usr/share/doc';
  const { stdout, stderr } = await host.wardian(['run', '--rm', 'built:1', 'sh', '-c', script]);
  assert.equal(stdout, `5:6\n${await run('sh', ['-c', `sha256sum <${LIST_TREE}`])}/opt\n`);
  assert.equal(stderr.match(/No such file or directory/g)?.length, 2, stderr);
  await host.succeed(['rmi', 'built:1']);
  await rm(base, { recursive: true });
});

debianTest('Python: digests, processes, threads, mapped files, a database', async () => {
  const output = await python(`
import hashlib, mmap, multiprocessing, os, sqlite3, subprocess, tempfile, threading
print(hashlib.sha256(b"abc").hexdigest()[:8])
print(subprocess.run(["sh", "-c", "echo $((6*7)); exit 3"], capture_output=True).stdout)
counts = []
threads = [threading.Thread(target=lambda: counts.append(sum(range(20000)))) for _ in range(20)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(len(counts), set(counts))
with tempfile.TemporaryFile() as file:
    file.truncate(1 << 20)
    with mmap.mmap(file.fileno(), 0) as memory:
        memory[1 << 19] = 65
        file.seek(1 << 19); print(file.read(1))
db = sqlite3.connect(tempfile.mktemp()); db.execute("create table t (n)")
db.executemany("insert into t values (?)", [(n,) for n in range(1000)]); db.commit()
print(db.execute("select sum(n) from t").fetchone())
with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))
print(os.urandom(4) != os.urandom(4), os.getpid())
`);
  const wanted = `ba7816bf\nb'42\\n'\n20 {199990000}\nb'A'\n(499500,)\n[1, 2]\nTrue 1\n`;
  assert.equal(output, wanted);
});

debianTest('the distribution’s own tools work, and files can be changed', async () => {
  const script = `
    dpkg -l python3 | tail -1 | cut -c1-11
    apt list --installed 2>/dev/null | grep -c ^python3
    rm /odd/links/a && echo more >>/odd/links/b; cat /odd/links/b; cat /odd/change/file-to-link
    mv /usr/lib/python3 /usr/lib/moved && rm -r /odd/many && ls -A /odd | wc -l
    dpkg --purge --force-all python3 >/dev/null 2>&1; dpkg -l python3 2>/dev/null || echo purged`;
  const output = await host.succeed(['run', '--rm', 'odd', 'sh', '-c', script]);
  assert.match(output, /^ii {2}python3 *\n[1-9]\d*\nlinkedmore\nfirst9\npurged\n$/);
});

debianTest('privileges of files hold inside: set-user-id, ownership, permissions', async () => {
  const script = `import os
print(os.getuid(), os.getgid(), oct(os.stat("/usr/bin/passwd").st_mode), oct(os.stat("/usr/bin/su").st_mode))
for path in ("/odd/owners/ordinary", "/odd/owners/nothing", "/etc/shadow"):
    try: open(path)
    except PermissionError: print("refused")
print(repr(open("/odd/attributes/user").read()), os.access("/odd/change", os.W_OK))`;
  assert.equal(
    await python(script, '-u', 'nobody'),
    "65534 65534 0o102755 0o104755\nrefused\nrefused\nrefused\n'' False\n",
  );
  assert.match(await python('import os; print(os.getgroups())', '-u', 'games'), /^\[60\]$/m);
  const unknown = await host.wardian(['run', '--rm', '-u', 'nobody-knows', 'odd', 'true']);
  assert.equal(unknown.exitCode, 125);
  assert.match(unknown.stderr, /nobody-knows/);
});

debianTest('the configuration of the image is what a container starts with', async () => {
  assert.equal(await findContent('odd:configured'), await findContent('odd'));
  const output = await host.succeed(['run', '--rm', 'odd:configured']);
  assert.equal(output, 'green--/usr/games\ngames\n/odd/links\n');
  const other = ['--rm', '-e', 'COLOUR=red', '-w', '/', '-u', '0', '--entrypoint', ''];
  const show = 'import os; print(os.environ["COLOUR"], os.getcwd(), os.getuid())';
  const command = ['odd:configured', 'python3', '-c', show];
  assert.equal(await host.succeed(['run', ...other, ...command]), 'red / 0\n');
  const trap = 'trap "echo got it; exit 9" USR1; while :; do sleep 0.1; done';
  await host.succeed(['run', '-d', '--name', 'waiter', '-l', 'own=1', 'odd:configured', trap]);
  const [details] = JSON.parse(await host.succeed(['inspect', 'waiter']));
  assert.deepEqual(details.Config.Labels, { 'a.b': 'c d', own: '1' });
  assert.equal(
    await host.succeed(['ps', '--filter', 'label=a.b', '--format', '{{.Names}}']),
    'waiter\n',
  );
  await host.succeed(['stop', 'waiter']);
  assert.equal(await host.succeed(['logs', 'waiter']), 'got it\n');
  assert.equal(await host.succeed(['wait', 'waiter']), '9\n');
  await host.succeed(['rm', 'waiter']);
});

debianTest('images are listed, named, loaded twice, and removed when unused', async () => {
  const list = async () => JSON.parse(await host.succeed(['images', '--json']));
  const count = (await list()).length;
  const [record] = await load(images.debian, '--name', 'plain');
  assert.deepEqual(await load(images.debian, '--name', 'plain'), [record]);
  assert.equal((await list()).length, count + 1);
  const two = await host.wardian(['load', images.odd, '--name', 'x']);
  assert.match(two.stderr, /holds 2 images/);
  const id = record?.Id ?? '';
  const table = await host.succeed(['images']);
  assert.match(table, /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n/);
  assert.match(table, new RegExp(`^localhost/plain +latest +${id.slice(0, 12)} `, 'm'));

  await host.succeed(['run', '-d', '--name', 'user', 'plain', 'sleep', '600']);
  const refused = await host.wardian(['rmi', 'plain']);
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /is used by user/);
  const forced = await host.succeed(['rmi', '--force', 'plain']);
  assert.equal(forced, `Untagged: localhost/plain:latest\nDeleted: ${id}\n`);
  assert.equal(await host.succeed(['ps', '-aq']), '');
  assert.equal((await host.wardian(['run', '--rm', 'plain', 'true'])).exitCode, 125);
  assert.equal((await host.wardian(['rmi', 'plain'])).exitCode, 1);
  await host.succeed(['rmi', '--all']);
  assert.deepEqual(await list(), []);
});
