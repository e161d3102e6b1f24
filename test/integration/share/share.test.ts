import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AgentClient } from '../../../src/agent/agent-client.ts';
import { findDirectories } from '../../../src/host/directories.ts';
import type { VirtualMachine } from '../../../src/hypervisor/driver.ts';
import { loadGuests } from '../../../src/template/guest.ts';
import { type Birth, introduce, runInShare, ShareHost, Stub } from './share-guest.ts';

const PROBE = path.join(import.meta.dirname, 'probe');
/** musl's own headers first; the kernel's stand behind them. */
const COMPILE = [
  ...['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-Wall', '-Wextra', '-Werror', '-static', '-no-pie'],
  ...['-idirafter', '/usr/include/x86_64-linux-gnu', '-idirafter', '/usr/include'],
];
const TOOLS = ['musl-gcc', 'mkfs.erofs', 'unshare'];
/** All that the probe asks; fewer answers mean that it did not run to its end. */
const CHECKS = 74;

/** What the protocol or the guest's kernel cannot do: docs/limits.md says why. */
const NOWHERE = [
  ...['capability of a file', 'exchange', 'hole punched', 'holes found', 'leases', 'nameless file'],
  ...['set-user bit falls', 'space reserved'],
  ...['space reserved by writing', 'trusted attribute', 'written and mapped'],
];
/** What the distribution's kernel and QEMU cannot do besides, and ours can. */
const NOT_WITH_DISTRO = [
  ...['attributes', 'device', 'kinds and numbers when listed', 'made by somebody', 'named pipe'],
  ...['nanoseconds', 'removed: times'],
  ...['removed and made again', 'removed: cut', 'removed: mode and owner'],
  ...['removed: one of two names', 'removed: opened anew', 'replaced while open', 'socket'],
];

const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);
const launcher = path.resolve(import.meta.dirname, '../../../dist/launcher');
const isSetUp = existsSync(launcher) && existsSync(path.join(cache, 'guest/manifest.json'));
const hasOurs = isSetUp && (await loadGuests(cache)).qemu !== undefined;

const SUITES = [
  { vmm: 'our QEMU', preference: 'auto', birth: 'clone', missing: NOWHERE },
  { vmm: 'our QEMU', preference: 'auto', birth: 'fork', missing: NOWHERE },
  {
    vmm: 'the distribution’s QEMU',
    preference: 'distro',
    birth: 'boot',
    missing: [...NOWHERE, ...NOT_WITH_DISTRO],
  },
] as const;

for (const { vmm, preference, birth, missing } of SUITES) {
  const skip = reasonToSkip(preference);
  describe(`a folder of the host in a ${birth} of ${vmm}`, { skip }, () =>
    testShare(preference, birth, missing),
  );
}

function reasonToSkip(preference: 'auto' | 'distro'): string | false {
  if (!isSetUp) return 'run scripts/setup first';
  if (process.getuid?.() !== 0) return 'only root has files of others';
  if (preference === 'auto' && !hasOurs) return 'it is not built: ./wardian guest build qemu';
  const absent = TOOLS.filter((tool) => !isInstalled(tool));
  return absent.length > 0 && `not installed: ${absent.join(', ')}`;
}

function isInstalled(tool: string): boolean {
  return ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].some((folder) =>
    existsSync(path.join(folder, tool)),
  );
}

function testShare(preference: 'auto' | 'distro', birth: Birth, missing: readonly string[]): void {
  let root = '';
  let host: ShareHost;
  let stub: Stub;
  let machine: VirtualMachine;
  let agent: AgentClient;

  before(async () => {
    root = mkdtempSync('/var/tmp/wardian-share-');
    for (const name of ['bin', 'work']) mkdirSync(path.join(root, name));
    const sources = readdirSync(PROBE).filter((name) => name.endsWith('.c'));
    const program = path.join(root, 'bin/probe');
    execFileSync('musl-gcc', [
      ...COMPILE,
      '-o',
      program,
      ...sources.map((name) => path.join(PROBE, name)),
    ]);
    host = await ShareHost.open(cache, preference);
    stub = await Stub.start(path.join(host.directory, 'share'), root);
    ({ machine, agent } = await host.start(birth, { share: { path: stub.share, writable: true } }));
    await introduce(agent);
  });

  after(async () => {
    agent?.close();
    await machine?.kill();
    stub?.stop();
    await host?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('keeps what programs expect of files, but for what is documented', async () => {
    const { output } = await runInShare(agent, ['/bin/probe', '/work']);
    assert.match(output, /^tell: end: reached$/m, output);
    const answers = [...output.matchAll(/^probe: (?<name>.*): (?<answer>[^:\n]*)$/gm)];
    assert.equal(answers.length, CHECKS, output);
    const failed = answers.flatMap(({ groups }) =>
      groups?.['answer'] === 'ok' ? [] : [groups?.['name']],
    );
    assert.deepEqual(failed.sort(), [...missing].sort());
    assert.deepEqual(readdirSync(path.join(root, 'work')), []);
  });

  it('shows the guest what the host changes, and the host what the guest does, at once', async () => {
    const script =
      'read a < /work/told; echo "$a and back" > /work/answer; read b < /work/told; echo "$b"';
    writeFileSync(path.join(root, 'work/told'), 'first\n');
    execFileSync('cp', ['/bin/busybox', path.join(root, 'bin/sh')]);
    const one = await runInShare(agent, ['/bin/sh', '-c', script]);
    assert.equal(one.output, 'first\n');
    assert.equal(readFileSync(path.join(root, 'work/answer'), 'utf8'), 'first and back\n');
    writeFileSync(path.join(root, 'work/told'), 'second, and longer\n');
    const other = await runInShare(agent, ['/bin/sh', '-c', script]);
    assert.equal(other.output, 'second, and longer\n');
  });

  it('gives the VMM the rights over files, as a user of its own, and no other', () => {
    const status = readFileSync(`/proc/${machine.record.pid}/status`, 'utf8');
    const read = (field: string) => new RegExp(`^${field}:\\s+(\\S+)`, 'm').exec(status)?.[1];
    assert.ok(Number(read('Uid')) > 0x7000_0000);
    for (const set of ['CapPrm', 'CapEff']) assert.equal(read(set), '000000008800001b');
    assert.equal(read('NoNewPrivs'), '1');
    assert.equal(read('Seccomp'), '2');
    // Nothing that the VMM reaches in the share is a device or a program, and nothing else can be written.
    const mounts = readFileSync(`/proc/${machine.record.pid}/mountinfo`, 'utf8').trim().split('\n');
    for (const mount of mounts) {
      const [, , , , place = '', options = ''] = mount.split(' ');
      if (options.startsWith('rw'))
        assert.match(`${place} ${options}`, /^\/(share|proc\/self\/fd).*nodev,noexec/);
    }
  });
}
