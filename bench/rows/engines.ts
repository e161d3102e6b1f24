import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { captureCommand } from '../../src/host/spawn.ts';
import type { Cleanup } from '../../src/util/cleanup.ts';
import type { Contestant } from '../measure.ts';
import { buildBundleConfig, writeBundle } from '../peers/bundle.ts';
import { OURS } from '../table.ts';
import { waitForPool } from '../wait-for-pool.ts';
import { IMAGE, stopSandboxer, type WardianCommands } from '../wardian.ts';
import { type Bench, findPeers, nextPeerId, type Row, runPeers } from './row.ts';

const RUNTIME = fileURLToPath(new URL('../../wardian-runtime', import.meta.url));

const STATE_LIMITS = { timeoutMs: 10_000, maxOutputBytes: 65_536 };
const POLL_MS = 20;

/** The engine's own work is most of it: the runtime is started three times, for `create`, `start` and `delete`. */
export const podmanRun: Row = {
  name: 'podman-run',
  title: '`podman run --rm --network none busybox true` with wardian-runtime; at most 1.6 × crun',
  unit: 'ms',
  async prepare(bench, cleanup) {
    const [podman] = findPeers(bench, ['podman']);
    if (podman === undefined) return [];
    const ours = await Promise.all(
      ['1', '0'].map(async (poolSize) => {
        const commands = await openCommands(bench, cleanup, poolSize);
        const runtime = await writeRuntime(bench, commands, `podman-run-${poolSize}`);
        const measure = async () => {
          await waitForMachine(commands);
          const argv = podman.run(nextPeerId()).map((word) => (word === 'crun' ? runtime : word));
          return { value: await bench.runner.time(argv) };
        };
        return { name: poolSize === '1' ? OURS : `${OURS}, no pool`, measure };
      }),
    );
    return [...ours, ...runPeers(bench, ['podman'])];
  },
};

export const runtimeState = describeVerb('state', 'of a container that runs');
export const runtimeStart = describeVerb('start', 'of one that was created');
export const runtimeDelete = describeVerb('delete', 'of one that has ended');

/** One command of the runtime, with whatever must come before and after it not counted. */
function describeVerb(verb: 'state' | 'start' | 'delete', what: string): Row {
  return {
    name: `runtime-${verb}`,
    title: `\`wardian-runtime ${verb}\` ${what}`,
    unit: 'ms',
    budget: 30,
    async prepare(bench, cleanup) {
      const commands = await openCommands(bench, cleanup, '0');
      const bundle = path.join(bench.directory, `runtime-${verb}`);
      const rootfs = path.join(bench.directory, 'peers/rootfs');
      const content = { rootfs, args: ['true'], cgroupsPath: `/runtime-${verb}` };
      await writeBundle(bundle, buildBundleConfig(content));
      const runner = bench.createRunner(commands);
      const ours = measureVerb((argv) => runner.time(argv), { program: RUNTIME, verb, bundle });
      const crun = measureVerb((argv) => bench.runner.time(argv), {
        program: 'crun',
        verb,
        bundle,
      });
      return [
        { name: OURS, measure: ours },
        { name: `crun: ${verb}`, measure: crun },
      ];
    },
  };
}

interface VerbMeasurement {
  readonly program: string;
  readonly verb: 'state' | 'start' | 'delete';
  readonly bundle: string;
}

type Time = (argv: readonly string[]) => Promise<number>;

function measureVerb(
  time: Time,
  { program, verb, bundle }: VerbMeasurement,
): Contestant['measure'] {
  return async () => {
    const id = nextPeerId();
    const run = (name: string, ...flags: string[]) => time([program, name, ...flags, id]);
    await run('create', '--bundle', bundle);
    try {
      const start = await run('start');
      if (verb === 'start') return { value: start };
      if (verb === 'state') return { value: await run('state') };
      await waitForEnd(program, id);
      return { value: await run('delete') };
    } finally {
      await run('delete', '--force');
    }
  };
}

/** `delete` of a container that still runs fails. */
async function waitForEnd(program: string, id: string): Promise<void> {
  for (;;) {
    const { stdout } = await captureCommand(program, ['state', id], STATE_LIMITS);
    if ((JSON.parse(stdout) as { status: string }).status === 'stopped') return;
    await delay(POLL_MS);
  }
}

/** A sandboxer that is there before, as on a machine where a container ran before. */
async function openCommands(
  bench: Bench,
  cleanup: Cleanup,
  poolSize: string,
): Promise<WardianCommands> {
  const commands = bench.createCommands(`engine-${poolSize}`, { WARDIAN_POOL_SIZE: poolSize });
  cleanup.defer('sandboxer', () => stopSandboxer(commands));
  await bench.createRunner(commands).time(commands.run('--rm', IMAGE, 'true'));
  return commands;
}

async function waitForMachine(commands: WardianCommands): Promise<void> {
  const client = await commands.connectIfRunning();
  if (client === undefined) return;
  try {
    await waitForPool(client);
  } finally {
    client.close();
  }
}

/** podman's monitor passes on no variables of ours. */
async function writeRuntime(
  bench: Bench,
  { environment }: WardianCommands,
  name: string,
): Promise<string> {
  const folder = path.join(bench.directory, name);
  await mkdir(folder);
  const runtime = path.join(folder, 'wardian-runtime');
  const variables = Object.entries(environment).filter(([key]) => key.startsWith('WARDIAN_'));
  const exports = variables.map(([key, value]) => `export ${key}='${value}'\n`).join('');
  await writeFile(runtime, `#!/bin/sh\n${exports}exec '${RUNTIME}' "$@"\n`, { mode: 0o755 });
  return runtime;
}
