import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { findDirectories } from '../../src/host/directories.ts';
import type { CommandResult } from '../support/command-result.ts';
import { assertNothingLeft } from '../support/nothing-left.ts';
import { TestHost } from '../support/test-host.ts';

const RUN = ['run', '--rm', 'busybox'];
const SLEEP = ['busybox', 'sleep', '600'];

function killSandboxer(host: TestHost): void {
  const pid = host.getSandboxerPid();
  if (pid !== undefined) signalProcess(pid, 'SIGKILL');
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {} // ESRCH: it has ended by itself, which these tests have to live with
}

function assertFailed({ exitCode, stderr }: CommandResult, message: RegExp): void {
  assert.equal(exitCode, 125, stderr);
  assert.match(stderr, message);
  assert.match(stderr, /\n {2}hint: \S/);
  assert.doesNotMatch(stderr, /this is a bug/);
}

/** What is under way when a command returns (a killed machine, say) is over soon, or never. */
async function assertNothingLeftSoon(host: TestHost): Promise<void> {
  const patienceMs = 15_000;
  for (const deadline = Date.now() + patienceMs; ; ) {
    try {
      return assertNothingLeft(host);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(100);
    }
  }
}

function withHost(): () => TestHost {
  let host: TestHost;
  before(() => {
    host = new TestHost();
  });
  after(() => host.close());
  return () => host;
}

async function startSleeper(host: TestHost, name: string): Promise<{ id: string; vmm: number }> {
  const id = (await host.succeed(['run', '-d', '--name', name, ...SLEEP])).trim();
  const [details] = JSON.parse(await host.succeed(['inspect', name]));
  return { id, vmm: details.State.Pid };
}

describe('state files that are damaged', () => {
  const getHost = withHost();
  const damages: Record<string, (file: string) => void> = {
    'cut off': (file) => truncateSync(file, 300),
    empty: (file) => truncateSync(file, 0),
    noise: (file) => writeFileSync(file, Buffer.alloc(5000, 'noise\0')),
    'of another version': (file) => replaceIn(file, '"version":1', '"version":9'),
    'of another sandbox': (file) => replaceIn(file, /"id":"[0-9a-f]{8}/, '"id":"00000000'),
    'without its machine': (file) => replaceIn(file, '"machine":', '"engine":'),
  };
  for (const [name, damage] of Object.entries(damages)) {
    for (const running of [true, false]) {
      it(`${name}, its machine ${running ? 'running' : 'gone'}`, async () => {
        const host = getHost();
        const { id, vmm } = await startSleeper(host, 'damaged');
        killSandboxer(host);
        if (!running) signalProcess(vmm, 'SIGKILL');
        damage(path.join(host.runtimeDirectory, 'sandboxes', id.slice(0, 16), 'state.json'));
        assert.equal(await host.succeed(['ps', '-aq']), '');
        await assertNothingLeftSoon(host);
        assert.match(
          readFileSync(path.join(host.runtimeDirectory, 'sandboxer.log'), 'utf8'),
          /cleared .* away: .*state\.json is damaged/,
        );
      });
    }
  }
});

function replaceIn(file: string, what: string | RegExp, by: string): void {
  const text = readFileSync(file, 'utf8');
  assert.notEqual(text.replace(what, by), text);
  writeFileSync(file, text.replace(what, by));
}

describe('a cache that is damaged', () => {
  let host: TestHost;
  let cache: string;
  before(async () => {
    host = new TestHost();
    cache = copyGuest(host);
    const made = await host.wardian(['run', '-d', '--rm', 'busybox', 'true']);
    assert.match(made.stderr, /booting the guest once/, 'run -d tells what takes so long');
    assert.equal(made.exitCode, 0);
  });
  after(() => host.close());

  const getTemplate = (): string => {
    const folder = path.join(cache, 'templates');
    const [key] = readdirSync(folder).filter((name) => /^[0-9a-f]{32}$/.test(name));
    return path.join(folder, key ?? '');
  };
  const overwrite = (file: string): void => {
    const content = readFileSync(file);
    writeFileSync(file, content.fill('x', 2000, 2100));
  };
  const damages: Record<string, () => void> = {
    'state of the template, cut off': () => truncateSync(path.join(getTemplate(), 'state'), 1000),
    'state of the template, changed': () => overwrite(path.join(getTemplate(), 'state')),
    'memory of the template, cut off': () =>
      truncateSync(path.join(getTemplate(), 'memory'), 10_000_000),
    'description of the template, cut off': () =>
      truncateSync(path.join(getTemplate(), 'template.json'), 100),
    'description of the template, something else': () =>
      writeFileSync(path.join(getTemplate(), 'template.json'), '[]'),
    'lock of the template, cut off': () => {
      truncateSync(path.join(getTemplate(), 'state'), 0);
      writeFileSync(`${getTemplate()}.lock`, '');
    },
    'choice of the accelerator': () => writeFileSync(path.join(cache, 'accelerator.json'), '{"v'),
    'frequency of the clock': () => writeFileSync(path.join(cache, 'host-clock.json'), 'x'),
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(`${name}: made anew`, async () => {
      await stopSandboxer(host);
      damage();
      assert.equal(await host.succeed([...RUN, 'echo', 'works']), 'works\n');
      await assertNothingLeftSoon(host);
    });
  }

  for (const part of ['kernel', 'initramfs'] as const) {
    for (const damage of ['cut off', 'empty'] as const) {
      it(`${part}, ${damage}: called damaged, cold and for a template`, async () => {
        await stopSandboxer(host);
        const file = readManifest(cache).distro[part] as string;
        renameSync(file, `${file}.kept`);
        copyFileSync(`${file}.kept`, file);
        truncateSync(file, damage === 'empty' ? 0 : 100_000);
        for (const flags of [['--no-template'], ['--memory', '100m']]) {
          const result = await host.wardian(['run', ...flags, 'busybox', 'true']);
          assertFailed(result, new RegExp(`the guest's ${file} is damaged`));
          assert.equal(await host.succeed(['ps', '-aq']), '');
          await assertNothingLeftSoon(host);
        }
        renameSync(`${file}.kept`, file);
      });
    }
  }

  it('manifest: refused', async () => {
    await stopSandboxer(host);
    const file = path.join(cache, 'guest/manifest.json');
    const kept = readFileSync(file);
    for (const content of ['', '{', '[]', '{"version":2}']) {
      writeFileSync(file, content);
      assertFailed(await host.wardian([...RUN, 'true']), /manifest/);
    }
    writeFileSync(file, kept);
  });
});

/** Gives a host a cache of its own, with the machine's guest in it. */
function copyGuest(host: TestHost): string {
  const { cache: from } = findDirectories(process.env, process.getuid?.() ?? 0);
  const cache = path.join(host.directory, 'cache');
  mkdirSync(path.join(cache, 'guest'), { recursive: true });
  const manifest = readManifest(from);
  for (const part of ['kernel', 'initramfs', 'busybox']) {
    const copy = path.join(cache, 'guest', part);
    copyFileSync(manifest.distro[part] as string, copy);
    manifest.distro[part] = copy;
  }
  // The distribution's alone: what is damaged is what boots.
  const { version, distro } = manifest;
  writeFileSync(path.join(cache, 'guest/manifest.json'), JSON.stringify({ version, distro }));
  host.environment['WARDIAN_CACHE_DIR'] = cache;
  return cache;
}

function readManifest(cache: string): { version: number; distro: Record<string, unknown> } {
  return JSON.parse(readFileSync(path.join(cache, 'guest/manifest.json'), 'utf8'));
}

async function stopSandboxer(host: TestHost): Promise<void> {
  killSandboxer(host);
  await pause(100);
}

describe('QEMU that is killed', () => {
  /** Kills the first VMM of this host that shows up, `delayMs` later. */
  async function killFirstVmm(host: TestHost, delayMs: number): Promise<void> {
    for (;;) {
      const vmm = host.getProcesses().find(({ commandLine }) => /qemu-system/.test(commandLine));
      if (vmm === undefined) {
        await pause(2);
        continue;
      }
      await pause(delayMs);
      return signalProcess(vmm.pid, 'SIGKILL');
    }
  }

  it('while a template is made', async () => {
    const host = new TestHost();
    copyGuest(host);
    for (const delayMs of [0, 500, 1500]) {
      const [result] = await Promise.all([
        host.wardian([...RUN, 'true']),
        killFirstVmm(host, delayMs),
      ]);
      assertFailed(result, /ended while it (booted|started).*SIGKILL|SIGKILL/);
      await assertNothingLeftSoon(host);
    }
    assert.equal(await host.succeed([...RUN, 'echo', 'now']), 'now\n');
    await host.close();
  });

  it('while a clone starts', async () => {
    const host = new TestHost();
    await host.succeed([...RUN, 'true']);
    for (const delayMs of [0, 5, 15, 30, 60]) {
      const [result] = await Promise.all([
        host.wardian(['run', ...SLEEP]),
        killFirstVmm(host, delayMs),
      ]);
      assertFailed(result, /SIGKILL/);
      await host.wardian(['rm', '-fa']);
      await assertNothingLeftSoon(host);
    }
    await host.close();
  });
});

describe('a guest that hangs', () => {
  const getHost = withHost();
  it('exec fails, kill and rm end it, all in bounded time', async () => {
    const host = getHost();
    const { vmm } = await startSleeper(host, 'frozen');
    signalProcess(vmm, 'SIGSTOP');
    const [exec] = await Promise.all([
      host.wardian(['exec', 'frozen', 'true'], { timeoutMs: 30_000 }),
    ]);
    assertFailed(exec, /the guest agent did not .* within \d+ ms/);
    const startedAt = Date.now();
    await host.succeed(['kill', 'frozen'], { timeoutMs: 30_000 });
    assert.ok(Date.now() - startedAt < 6_000);
    await host.succeed(['rm', 'frozen']);
    assertNothingLeft(host);
  });

  for (const command of [
    ['stop', '-t', '1'],
    ['rm', '-f', '-t', '1'],
  ]) {
    it(`${command.join(' ')} ends it in bounded time`, async () => {
      const host = getHost();
      const { vmm } = await startSleeper(host, 'frozen');
      signalProcess(vmm, 'SIGSTOP');
      const startedAt = Date.now();
      await host.succeed([...command, 'frozen'], { timeoutMs: 30_000 });
      assert.ok(Date.now() - startedAt < 8_000);
      await host.wardian(['rm', '-f', 'frozen']);
      assertNothingLeft(host);
    });
  }

  it('does not keep the next sandboxer from starting', async () => {
    const host = getHost();
    const { vmm } = await startSleeper(host, 'frozen');
    await startSleeper(host, 'healthy');
    signalProcess(vmm, 'SIGSTOP');
    killSandboxer(host);
    const [frozen] = JSON.parse(await host.succeed(['inspect', 'frozen'], { timeoutMs: 30_000 }));
    assert.match(frozen.State.Error, /lost while no sandboxer ran: .*does not answer/);
    assert.equal(await host.succeed(['exec', 'healthy', 'echo', 'well']), 'well\n');
    await host.succeed(['rm', '-f', '-t', '0', 'frozen', 'healthy']);
    await assertNothingLeftSoon(host);
  });
});

describe('a sandboxer that is not what it should be', () => {
  const getHost = withHost();
  it('a lock and a socket that nobody holds', async () => {
    const host = getHost();
    mkdirSync(host.runtimeDirectory, { mode: 0o700 });
    for (const lock of ['', 'noise', '{"pid":1,"startTime":"1","bootId":"x","token":"0"}']) {
      writeFileSync(path.join(host.runtimeDirectory, 'sandboxer.lock'), lock);
      const socket = path.join(host.runtimeDirectory, 'sandboxer.sock');
      if (!existsSync(socket)) writeFileSync(socket, '');
      assert.equal(await host.succeed(['ps', '-q']), '');
      await stopSandboxer(host);
    }
  });

  it('one that hangs', async () => {
    const host = getHost();
    await host.succeed(['ps']);
    const pid = host.getSandboxerPid() ?? 0;
    signalProcess(pid, 'SIGSTOP');
    const startedAt = Date.now();
    assertFailed(await host.wardian(['ps']), /the sandboxer does not answer/);
    assert.ok(Date.now() - startedAt < 15_000);
    signalProcess(pid, 'SIGKILL');
    await host.succeed(['ps']);
  });

  it('killed at any moment of a start: the client starts again, and nothing is left', async () => {
    const host = getHost();
    await host.succeed([...RUN, 'true']);
    for (const delayMs of [100, 130, 160, 190, 220, 260, 320]) {
      const running = host.wardian([...RUN, 'echo', 'whole']);
      await pause(delayMs);
      killSandboxer(host);
      const { exitCode, stdout, stderr } = await running;
      assert.deepEqual([exitCode, stdout], [0, 'whole\n'], `${delayMs} ms: ${stderr}`);
      await host.succeed(['ps']);
      await assertNothingLeftSoon(host);
    }
  });

  it('killed when a container has just ended: its client still gets output and code', async () => {
    const host = getHost();
    for (const flags of [['--rm'], ['--name', 'ended']]) {
      const script = 'echo out; sleep 1; echo late; exit 7';
      const client = host.start(['run', ...flags, 'busybox', 'sh', '-c', script]);
      let output = '';
      client.stdout?.on('data', (chunk) => {
        output += chunk;
      });
      const closed = new Promise((resolve) => client.once('close', resolve));
      await new Promise((resolve) => client.stdout?.once('data', resolve));
      // It cannot take the rest, nor hear of the end, before its sandboxer is gone.
      client.kill('SIGSTOP');
      const folder = path.join(host.runtimeDirectory, 'sandboxes');
      const [name = ''] = readdirSync(folder);
      const isOver = (): boolean => {
        const file = path.join(folder, name, 'state.json');
        return !existsSync(file) || /"status":"exited"/.test(readFileSync(file, 'utf8'));
      };
      const deadline = Date.now() + 10_000;
      while (!isOver() && Date.now() < deadline) await pause(2);
      killSandboxer(host);
      client.kill('SIGCONT');
      assert.equal(await closed, 7);
      assert.equal(output, 'out\nlate\n');
      if (flags[0] !== '--rm') await host.succeed(['rm', 'ended']);
      await assertNothingLeftSoon(host);
    }
  });

  it('logs -f and attach go on with the next one', async () => {
    const host = getHost();
    const script = 'echo first; sleep 4; echo second >&2; echo third; sleep 1';
    await host.succeed(['run', '-d', '--name', 'talker', 'busybox', 'sh', '-c', script]);
    for (let logs = ''; logs !== 'first\n'; logs = await host.succeed(['logs', 'talker']));
    const following = host.wardian(['logs', '-f', '--tail', '1', 'talker']);
    const attached = host.wardian(['attach', 'talker']);
    await pause(800);
    killSandboxer(host);
    const logs = await following;
    assert.deepEqual([logs.exitCode, logs.stdout], [0, 'first\nthird\n'], logs.stderr);
    assert.equal(logs.stderr, 'second\n');
    const { exitCode, stdout, stderr } = await attached;
    assert.deepEqual([exitCode, stdout, stderr], [0, 'third\n', 'second\n']);
    await host.succeed(['rm', 'talker']);
  });
});

describe('many at once, and again and again', () => {
  const getHost = withHost();
  it('two clients that want one name: one gets it', async () => {
    const host = getHost();
    const commands = [1, 2, 3].map(() => host.wardian(['run', '-d', '--name', 'one', ...SLEEP]));
    const results = await Promise.all(commands);
    const codes = results.map(({ exitCode }) => exitCode).sort();
    assert.deepEqual(codes, [0, 125, 125]);
    for (const result of results) {
      if (result.exitCode !== 0) assertFailed(result, /the name one is used by container/);
    }
    await host.succeed(['rm', '-f', '-t', '0', 'one']);
    assertNothingLeft(host);
  });

  it('thirty containers leave no descriptor, process or file', async () => {
    const host = getHost();
    await host.succeed([...RUN, 'true']);
    const pid = host.getSandboxerPid();
    const count = (): number => readdirSync(`/proc/${pid}/fd`).length;
    const before = count();
    for (let round = 0; round < 30; round += 1) await host.succeed([...RUN, 'true']);
    await pause(200);
    assert.equal(host.getSandboxerPid(), pid);
    assert.ok(count() <= before, `${before} descriptors before, ${count()} after`);
    assertNothingLeft(host);
  });

  it('clients killed at any moment leave nothing', async () => {
    const host = getHost();
    for (let round = 0; round < 20; round += 1) {
      const client = host.start(['run', ...SLEEP]);
      const closed = new Promise((resolve) => client.once('close', resolve));
      await pause(20 + round * 15);
      client.kill('SIGKILL');
      await closed;
    }
    const running = async (): Promise<string> => host.succeed(['ps', '-q']);
    for (const deadline = Date.now() + 20_000; (await running()) !== ''; await pause(200)) {
      assert.ok(Date.now() < deadline, 'a container of a client that is gone still runs');
    }
    await host.succeed(['rm', '-a']);
    await assertNothingLeftSoon(host);
  });

  it('a container that takes all of the guest’s memory ends, and says why', async () => {
    const host = getHost();
    const result = await host.wardian(['run', '--name', 'greedy', 'busybox', 'tail', '/dev/zero']);
    assert.ok([125, 137].includes(result.exitCode ?? 0), result.stderr);
    const [details] = JSON.parse(await host.succeed(['inspect', 'greedy']));
    assert.match(details.State.Error, /memory|virtual machine|panicked/);
    await host.succeed(['rm', 'greedy']);
    assertNothingLeft(host);
    assert.ok(!existsSync(path.join(host.runtimeDirectory, 'sandboxes', details.Id.slice(0, 16))));
  });
});
