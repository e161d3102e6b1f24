import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { chown, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { UnprivilegedUser } from '../support/unprivileged-user.ts';

/*
 * Everything works for users who are not root, and their VMMs are confined where the host lets them be.
 */

let user: UnprivilegedUser;
before(() => {
  user = new UnprivilegedUser();
});
after(() => user.close());

test('the first command makes a template in the user’s cache and runs', async () => {
  assert.equal(await user.host.succeed(['run', '--rm', 'busybox', 'echo', 'hello']), 'hello\n');
  const templates = path.join(user.home, '.cache/wardian/templates');
  assert.ok(readdirSync(templates).length > 0);
  for (const folder of [templates, user.host.runtimeDirectory, user.host.dataDirectory]) {
    const status = statSync(folder);
    assert.equal(status.uid, user.uid, folder);
    assert.equal(status.mode & 0o022, 0, folder);
  }
  assert.equal(statSync(user.host.runtimeDirectory).mode & 0o777, 0o700);
});

test('a container has a root of its own, limits, streams, and a machine that outlives the sandboxer', async () => {
  const { host } = user;
  const flags = ['-d', '--name', 'mine', '--memory', '64m', '--read-only'];
  await host.succeed(['run', ...flags, 'busybox', 'sleep', '600']);
  const script = 'id -u; cat /sys/fs/cgroup/memory.max; touch /x 2>&1; cat';
  const exec = ['exec', '-i', 'mine', 'sh', '-c', script];
  const output = await host.succeed(exec, { stdin: 'typed' });
  assert.match(output, /^0\n67108864\n.*Read-only file system\ntyped$/);
  process.kill(host.getSandboxerPid() ?? 0, 'SIGKILL');
  assert.equal(await host.succeed(['exec', 'mine', 'echo', 'adopted']), 'adopted\n');
  await host.succeed(['rm', '-f', '-t', '0', 'mine']);
  const cold = ['run', '--rm', '--no-template', 'busybox', 'echo', 'cold'];
  assert.equal(await host.succeed(cold), 'cold\n');
});

test('the VMM sees little and may do less, where user namespaces are allowed', async (context) => {
  const { host } = user;
  const { canRun, findings } = JSON.parse(await host.succeed(['check', '--json']));
  assert.equal(canRun, true);
  const confinement = findings.find((one: { subject: string }) => one.subject === 'confinement');
  if (confinement.status !== 'ok') return context.skip(confinement.text);

  await host.succeed(['run', '-d', '--name', 'glass', 'busybox', 'sleep', '600']);
  const [details] = JSON.parse(await host.succeed(['inspect', 'glass']));
  const vmm = `/proc/${details.State.Pid}`;
  const status = readFileSync(`${vmm}/status`, 'utf8');
  assert.match(status, new RegExp(`^Uid:\\t${user.uid}\\t${user.uid}\\t${user.uid}\\t`, 'm'));
  for (const line of ['CapPrm:\t0+$', 'CapEff:\t0+$', 'NoNewPrivs:\t1$', 'Seccomp:\t2$']) {
    assert.match(status, new RegExp(`^${line}`, 'm'));
  }
  for (const namespace of ['user', 'mnt', 'net', 'ipc', 'uts']) {
    const ours = readlinkSync(`/proc/self/ns/${namespace}`);
    assert.notEqual(readlinkSync(`${vmm}/ns/${namespace}`), ours, namespace);
  }
  const seen = readdirSync(`${vmm}/root`).sort();
  const system = ['bin', 'etc', 'lib', 'lib64', 'proc', 'share', 'tmp', 'usr'];
  assert.deepEqual(seen, system);
  assert.deepEqual(readdirSync(`${vmm}/root/proc`), ['self']);
  // Of the user's own files the guest's and the images, nothing of what lies beside them.
  assert.deepEqual(readdirSync(`${vmm}/root${user.home}`), ['.cache']);
  assert.deepEqual(readdirSync(`${vmm}/root${host.dataDirectory}`), ['images']);
  await host.succeed(['rm', '-f', '-t', '0', 'glass']);
});

test('where namespaces are forbidden machines run all the same, and check says what is lost', async (context) => {
  const { host, launcherPath } = user;
  // The limit of a user namespace of our own holds for all that is made in it.
  const forbid = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"';
  const within = ['--user', '--map-current-user', '--keep-caps', '--', 'sh', '-c', forbid, 'sh'];
  const run = (...argv: string[]) =>
    promisify(execFile)('unshare', [...within, ...argv], {
      env: { ...host.environment, WARDIAN_RUNTIME_DIR: `${host.directory}/other` },
      cwd: host.directory,
      ...(process.getuid?.() === 0 && { uid: user.uid, gid: user.uid }),
    });
  try {
    await run('true');
  } catch (error) {
    return context.skip(`no user namespace to forbid them in: ${error}`);
  }
  const command = [process.execPath, path.join(path.dirname(launcherPath), 'wardian.cjs')];
  const { stdout } = await run(...command, 'check');
  assert.match(stdout, /^warn +confinement +VMMs see the files and the network of this user: /m);
  const hello = await run(...command, 'run', '--rm', 'busybox', 'echo', 'hello');
  assert.equal(hello.stdout, 'hello\n');
  const lock = JSON.parse(readFileSync(`${host.directory}/other/sandboxer.lock`, 'utf8'));
  process.kill(lock.pid, 'SIGKILL');
});

test('a runtime folder that somebody else made is refused', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root can make a folder for another user');
  const runtime = path.join(user.host.directory, 'stolen');
  await mkdir(runtime);
  await chown(runtime, user.uid + 1, user.uid + 1);
  const environment = { WARDIAN_RUNTIME_DIR: runtime };
  const result = await user.host.wardian(['ps'], { environment });
  assert.equal(result.exitCode, 125);
  assert.match(result.stderr, /does not belong to this user/);
  await rm(runtime, { recursive: true });
});
