import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import type { AgentClient } from '../../../src/agent/agent-client.ts';
import type { VirtualMachine } from '../../../src/hypervisor/driver.ts';
import { translateSpec } from '../../../src/oci/translate/translate-spec.ts';
import type { PoolMember } from '../../../src/sandboxer/pool/make-member.ts';
import { makeStem } from '../../../src/sandboxer/pool/make-stem.ts';
import { bootSandboxMachine, cloneSandboxMachine } from '../../../src/template/clone.ts';
import type { GuestPair } from '../../../src/template/guest-pair.ts';
import { GuestPairs } from '../../../src/template/guest-pairs.ts';
import type { HostResources } from '../../../src/template/machine.ts';
import { prepareSharedRoot, SHARED_ROOT } from '../../../src/template/shared-root.ts';
import { chooseSizeClass } from '../../../src/template/size-class.ts';
import { buildPlainSpec } from '../../../src/template/spare-container.ts';
import type { Template } from '../../../src/template/template.ts';

/** How a machine comes to life: each gives QEMU its share in another way. */
export type Birth = 'boot' | 'clone' | 'fork';

const launcherPath = path.resolve(import.meta.dirname, '../../../dist/launcher');
const FOLDER = 'c1';
/** A stem runs two throw-away containers; on a busy host each takes seconds. */
const STEM_TIMEOUT_MS = 60_000;

function onSessionRestarted(): void {} // nobody was there before

/** A process with a mount namespace of its own, in which a folder is a container's root: what a stub is for an engine. */
export class Stub {
  readonly #child: ChildProcess;
  /** The share, as others reach it. */
  readonly share: string;

  private constructor(child: ChildProcess, share: string) {
    this.#child = child;
    this.share = share;
  }

  static async start(place: string, rootfs: string): Promise<Stub> {
    const script = [
      'set -e',
      'mount -t tmpfs -o mode=755,nodev,nosuid,noexec share "$0"',
      `mkdir "$0/${FOLDER}" "$0/${FOLDER}/rootfs"`,
      `mount --bind "$1" "$0/${FOLDER}/rootfs"`,
      'echo ready; exec sleep 100000',
    ].join('\n');
    const child = spawn(
      'unshare',
      ['-m', '--propagation', 'private', 'sh', '-c', script, place, rootfs],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await Promise.race([
      once(child.stdout as NonNullable<typeof child.stdout>, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error('the stub ended'))),
    ]);
    return new Stub(child, `/proc/${child.pid}/root${place}`);
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

/** What several machines of one test have in common. */
export class ShareHost {
  readonly directory: string;
  readonly pair: GuestPair;
  readonly #pairs: GuestPairs;
  #count = 0;
  #stem: { readonly stem: PoolMember; readonly imagePath: string } | undefined;

  private constructor(directory: string, pairs: GuestPairs, pair: GuestPair) {
    this.directory = directory;
    this.#pairs = pairs;
    this.pair = pair;
  }

  static async open(cache: string, preference: 'distro' | 'mini' | 'auto'): Promise<ShareHost> {
    const directory = mkdtempSync('/tmp/ws-');
    for (const name of ['cache', 'disks', 'share']) mkdirSync(path.join(directory, name));
    symlinkSync(path.join(cache, 'guest'), path.join(directory, 'cache/guest'));
    const pairs = await GuestPairs.open({
      cacheDirectory: path.join(directory, 'cache'),
      runtimeDirectory: path.join(directory, 'run'),
      launcherPath,
      diskDirectories: [path.join(directory, 'disks')],
      preference,
    });
    return new ShareHost(directory, pairs, await pairs.choose());
  }

  async start(
    birth: Birth,
    resources: HostResources,
  ): Promise<{ machine: VirtualMachine; agent: AgentClient }> {
    const { driver, templates, guest } = this.pair;
    this.#count += 1;
    const id = `m${this.#count}`;
    const directory = path.join(this.directory, id);
    const size = chooseSizeClass({ memoryBytes: 512 * 2 ** 20 });
    if (birth === 'fork') {
      this.#stem ??= await this.#plantStem(await templates.obtain(size));
      const { stem, imagePath } = this.#stem;
      return await stem.start({ id, directory, imagePath, onSessionRestarted, ...resources });
    }
    mkdirSync(directory, { mode: 0o711 });
    if (birth === 'boot')
      return await bootSandboxMachine({ driver, guest, size, id, directory, ...resources });
    const template = await templates.obtain(size);
    return await cloneSandboxMachine({ driver, template, id, directory, ...resources });
  }

  async #plantStem(template: Template) {
    const disks = path.join(this.directory, 'disks');
    const sharePath = await prepareSharedRoot(
      this.#pairs.busyboxPath,
      path.join(this.directory, 'warm-up'),
    );
    const imagePath = path.join(disks, 'image');
    execFileSync('mkfs.erofs', [imagePath, path.join(sharePath, SHARED_ROOT)], { stdio: 'ignore' });
    const { driver } = this.pair;
    const signal = AbortSignal.timeout(STEM_TIMEOUT_MS);
    const directory = path.join(this.directory, 'pool');
    const request = { driver, template, directory, imagePath, sharePath, signal };
    return { stem: await makeStem(request), imagePath };
  }

  async close(): Promise<void> {
    await this.#stem?.stem.discard();
    await this.#pairs.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Runs a command in a container whose root is the share's folder, and returns what it printed. */
export async function runInShare(
  agent: AgentClient,
  command: readonly string[],
): Promise<{ code: number; output: string }> {
  const id = randomBytes(32).toString('hex');
  const spec = buildPlainSpec(command);
  const container = translateSpec(spec, {
    id,
    layers: [],
    folder: `${FOLDER}/rootfs`,
    stdin: false,
  });
  container.process.capabilities = ALL_CAPABILITIES;
  await agent.createContainer(container);
  const chunks: Buffer[] = [];
  const stream = agent.openStdio(
    { containerId: id },
    {
      onOutput: (name, offset, bytes) => {
        chunks.push(Buffer.from(bytes));
        stream.acknowledge(name, offset + bytes.length);
      },
      onStdinAcknowledged: () => {},
      onStdinClosed: () => {},
    },
  );
  const { execErrno, execMessage } = await agent.startContainer({ id });
  if (execErrno !== 0) throw new Error(execMessage);
  const { code } = await stream.exit;
  await agent.deleteContainer({ id });
  return { code, output: Buffer.concat(chunks).toString() };
}

const ALL = 2n ** 41n - 1n;
const ALL_CAPABILITIES = {
  ...{ bounding: ALL, effective: ALL, permitted: ALL, inheritable: ALL, ambient: 0n },
};

/** The first call that every machine gets. */
export async function introduce(
  agent: AgentClient,
  interfaces: readonly { name: string; mac: Uint8Array }[] = [],
): Promise<void> {
  await agent.personalize({
    entropy: randomBytes(64),
    realtimeNanoseconds: BigInt(Date.now()) * 1_000_000n,
    hostname: 'share',
    interfaces: [...interfaces],
  });
}
