import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { AgentClient } from '../../src/agent/agent-client.ts';
import { findDirectories } from '../../src/host/directories.ts';
import { writeBuiltInImage } from '../../src/image/built-in-image.ts';
import { translateSpec } from '../../src/oci/translate/translate-spec.ts';
import { makeMember, type PoolMember } from '../../src/sandboxer/pool/make-member.ts';
import { cloneSandboxMachine, type SandboxMachine } from '../../src/template/clone.ts';
import type { GuestPair } from '../../src/template/guest-pair.ts';
import { GuestPairs } from '../../src/template/guest-pairs.ts';
import { chooseSizeClass } from '../../src/template/size-class.ts';
import { buildPlainSpec, PLAIN_REQUEST } from '../../src/template/spare-container.ts';
import type { Template } from '../../src/template/template.ts';
import { Cleanup } from '../../src/util/cleanup.ts';

/*
 * Two members of a pool and a cold clone, looked at from inside by a container that sees its whole guest: the members must
 * be told apart from each other by nothing but what they were given, and from the clone by nothing at all.
 */

const launcherPath = path.resolve(import.meta.dirname, '../../dist/launcher');
const { cache: builtCache } = findDirectories(process.env, process.getuid?.() ?? 0);
const isSetUp =
  existsSync(launcherPath) && existsSync(path.join(builtCache, 'guest/manifest.json'));

const CLONE_NEWNS = 0x20000n;
const ALL_CAPABILITIES = (1n << 41n) - 1n;
const SIGNAL = AbortSignal.timeout(120_000);
/** Sections that are compared; the agent's own mount namespace and files are seen through its process. */
const LOOK = `
section() { echo "== $1"; }
section processes; cat /proc/[0-9]*/stat 2>/dev/null | awk '$4 < 2 { print $2 }' | sort
section mounts; cut -d ' ' -f 1-3 /proc/1/mounts | sort
section cgroups; find /proc/1/root/sys/fs/cgroup -type d | sort
section files; find /proc/1/root/run /proc/1/root/tmp /proc/1/root/dev/shm 2>/dev/null | sort
section interfaces; cut -d : -f 1 /proc/1/net/dev | sort
section sockets; tail -n +2 /proc/1/net/unix | wc -l
section ids; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | od -An -tx1
section clock; date +%s; section name; cat /proc/sys/kernel/hostname
section log; dmesg
`;

describe('members of a pool', { skip: isSetUp ? false : 'run scripts/setup first' }, () => {
  let folder = '';
  let pairs: GuestPairs;
  let pair: GuestPair;
  let template: Template;
  let throwAwayImage = '';
  let ownImage = '';
  const cleanup = new Cleanup();

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'wp-'));
    chmodSync(folder, 0o755);
    const disks = path.join(folder, 'disks');
    pairs = await GuestPairs.open({
      cacheDirectory: builtCache,
      runtimeDirectory: path.join(folder, 'run'),
      launcherPath,
      diskDirectories: [disks],
      preference: 'distro', // whose QEMU gives machines away: what is forked has a test of its own
    });
    pair = await pairs.choose();
    template = await pair.templates.obtain(chooseSizeClass({}));
    throwAwayImage = await writeBuiltInImage(pairs.busyboxPath, disks);
    ownImage = path.join(disks, 'own.erofs');
    copyFileSync(throwAwayImage, ownImage);
    chmodSync(ownImage, 0o644);
  });

  after(async () => {
    await cleanup.run(); // of a test that failed
    await pairs?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function makeOne(): Promise<PoolMember> {
    const { driver } = pair;
    const directory = path.join(folder, 'pool');
    const member = await makeMember({
      ...{ driver, template, directory, imagePath: throwAwayImage, signal: SIGNAL },
    });
    cleanup.defer('member', () => member.discard());
    return member;
  }

  function start(member: PoolMember, imagePath = ownImage): Promise<SandboxMachine> {
    return member.start({ id: 'own', directory: folder, imagePath, onSessionRestarted: () => {} });
  }

  async function cloneCold(): Promise<SandboxMachine> {
    const directory = path.join(folder, 'cold');
    mkdirSync(directory, { mode: 0o711 });
    const { driver } = pair;
    const cold = await cloneSandboxMachine({
      ...{ driver, template, id: 'cold', directory, imagePath: ownImage },
    });
    cleanup.defer('clone', () => cold.machine.kill());
    return cold;
  }

  it('share nothing that tells them apart, and keep nothing of the throw-away container', async () => {
    const members = [await makeOne(), await makeOne()];
    const waitedMs = 3_000;
    await pause(waitedMs); // their clocks stand still meanwhile
    const given = await Promise.all(members.map((member) => start(member)));
    const cold = await cloneCold();
    const machines = [...given, cold];
    const looks: Map<string, string>[] = [];
    for (const [index, { agent }] of machines.entries()) {
      const startedAt = Math.floor(Date.now() / 1000);
      const look = await lookInside(agent, `name-${index}`);
      const clock = Number(look.get('clock'));
      assert.ok(clock >= startedAt && clock <= Date.now() / 1000, `${clock}, not ${startedAt}`);
      assert.equal(look.get('name'), `name-${index}`);
      looks.push(look);
    }
    const [one, two, plain] = looks as [
      Map<string, string>,
      Map<string, string>,
      Map<string, string>,
    ];
    for (const section of ['processes', 'mounts', 'cgroups', 'files', 'interfaces', 'sockets']) {
      assert.equal(one.get(section), plain.get(section), section);
      assert.equal(two.get(section), plain.get(section), section);
    }
    const ids = looks.flatMap((look) => (look.get('ids') ?? '').split('\n'));
    assert.equal(ids.length, 9);
    assert.equal(new Set(ids).size, ids.length, ids.join('\n'));
    const usual = new Set(readLog(plain));
    for (const look of [one, two]) {
      assert.deepEqual(
        readLog(look).filter((line) => !usual.has(line)),
        [],
      );
    }
    await Promise.all(members.map((member) => member.discard()));
    cold.agent.close();
    await cold.machine.kill();
  });

  it('know of no container while they wait', async () => {
    const member = await makeOne();
    const { machine, agent } = await start(member);
    assert.deepEqual(await agent.listContainers(), []);
    await member.discard();
    assert.ok(!existsSync(machine.record.directory));
  });

  it('that get no image are not of use, and say why', async () => {
    const member = await makeOne();
    const nowhere = path.join(folder, 'disks/none');
    await assert.rejects(start(member, nowhere), { code: 'PATH_NOT_FOUND' });
    await member.discard();
  });

  it('that cannot be made leave nothing behind', async () => {
    const controller = new AbortController();
    const { driver } = pair;
    const directory = path.join(folder, 'pool');
    const making = makeMember({
      ...{ driver, template, directory, imagePath: throwAwayImage, signal: controller.signal },
    });
    setTimeout(() => controller.abort(), 60);
    await assert.rejects(making, { code: 'CANCELLED' });
    assert.deepEqual(existsSync(directory) ? readdirSync(directory) : [], []);
  });
});

/** Runs a container that sees all of its guest, and splits what it prints into its sections. */
async function lookInside(agent: AgentClient, hostname: string): Promise<Map<string, string>> {
  const { id } = PLAIN_REQUEST;
  const container = translateSpec(buildPlainSpec(['/bin/sh', '-c', LOOK]), {
    ...{ id, layers: [{ lun: 0, type: 'erofs', data: '' }], stdin: false },
  });
  const proc = container.mounts.filter(({ destination }) =>
    ['/proc', '/dev'].includes(destination),
  );
  const [all, none] = [ALL_CAPABILITIES, 0n];
  const capabilities = {
    bounding: all,
    effective: all,
    permitted: all,
    inheritable: none,
    ambient: none,
  };
  const process = { ...container.process, capabilities, seccompFilter: new Uint8Array() };
  await agent.personalize({
    entropy: randomBytes(64),
    realtimeNanoseconds: BigInt(Date.now()) * 1_000_000n,
    hostname,
    interfaces: [],
  });
  await agent.createContainer({
    ...container,
    ...{ namespaces: CLONE_NEWNS, mounts: proc, process, maskedPaths: [], readonlyPaths: [] },
    hostname: '',
  });
  const started = agent.startContainer({ id });
  let output = '';
  const stdio = agent.openStdio(
    { containerId: id },
    {
      onOutput: (name, offset, bytes) => {
        output += Buffer.from(bytes).toString();
        stdio.acknowledge(name, offset + bytes.length);
      },
      onStdinAcknowledged: () => {},
      onStdinClosed: () => {},
    },
  );
  assert.equal((await started).execErrno, 0);
  await stdio.exit;
  const sections = output.split(/^== /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [name = '', ...lines] = section.split('\n');
      return [name, lines.join('\n').trim()];
    }),
  );
}

/** What the kernel has said, without times. */
function readLog(look: Map<string, string>): string[] {
  return (look.get('log') ?? '').split('\n').map((line) => line.replace(/^\[ *\d+\.\d+\] /, ''));
}
