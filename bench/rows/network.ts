import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from '../../src/util/cleanup.ts';
import { buildBundleConfig, writeBundle } from '../peers/bundle.ts';
import { OURS } from '../table.ts';
import { stopSandboxer } from '../wardian.ts';
import {
  type Exchange,
  measureExchange,
  type NetworkLink,
  openNetworkLink,
  receive,
  roundTrips,
  send,
} from './network-link.ts';
import { type Bench, nextPeerId, type Row } from './row.ts';

const RUNTIME = fileURLToPath(new URL('../../wardian-runtime', import.meta.url));
const SIZE_BYTES = 64 * 2 ** 20;
/** What it dies of when the other end has closed: as it was meant. */
const UNTIL_CLOSED = '; true';

export const networkSend: Row = describeRow({
  name: 'network-send',
  title: '64 MiB from a container over its veth pair, TCP',
  script: (target) => `busybox nc ${target} < /dev/zero${UNTIL_CLOSED}`,
  exchange: receive(SIZE_BYTES),
});

export const networkReceive: Row = describeRow({
  name: 'network-receive',
  title: '64 MiB to a container over its veth pair, TCP',
  script: (target) => `busybox nc ${target} > /dev/null`,
  exchange: send(SIZE_BYTES),
});

export const networkRoundTrips: Row = describeRow({
  name: 'network-round-trips',
  title: '100 times a byte to a program in a container and back, TCP',
  script: (target) => `busybox nc ${target} -e /bin/busybox cat${UNTIL_CLOSED}`,
  exchange: roundTrips,
});

interface NetworkRow {
  readonly name: string;
  readonly title: string;
  /** For the container's shell; `target` is address and port of the other end. */
  script(target: string): string;
  readonly exchange: Exchange;
}

function describeRow({ name, title, script, exchange }: NetworkRow): Row {
  const prepare = async (bench: Bench, cleanup: Cleanup) => {
    const commands = bench.createCommands(name);
    cleanup.defer('sandboxer', () => stopSandboxer(commands));
    const runner = bench.createRunner(commands);
    return [
      { title: OURS, program: RUNTIME, runner, place: 1 },
      { title: 'crun: run', program: 'crun', runner: bench.runner, place: 2 },
    ].map(({ title: contestant, program, runner: own, place }) => {
      let link: Promise<NetworkLink> | undefined;
      const measure = async () => {
        link ??= openNetworkLink(cleanup);
        const opened = await link;
        const value = await measureExchange(opened, exchange, async (port) => {
          const command = script(`${opened.address} ${port}`);
          const bundle = await writeNetworkBundle(bench, { name, place, command, link: opened });
          await own.time([program, 'run', '--bundle', bundle, nextPeerId()]);
        });
        return { value };
      };
      return { name: contestant, measure };
    });
  };
  return { name, title, unit: 'ms', prepare };
}

interface NetworkBundle {
  readonly name: string;
  readonly place: number;
  readonly command: string;
  readonly link: NetworkLink;
}

async function writeNetworkBundle(
  { directory }: Bench,
  { name, place, command, link }: NetworkBundle,
): Promise<string> {
  const bundle = path.join(directory, `${name}-${place}`);
  const args = ['sh', '-c', command];
  const rootfs = path.join(directory, 'peers/rootfs');
  const config = buildBundleConfig({ rootfs, args, cgroupsPath: `/${name}-${place}` });
  await writeBundle(bundle, { ...config, ...useNetwork(config, link) });
  return bundle;
}

function useNetwork(config: object, { path: namespacePath }: NetworkLink): object {
  const { linux } = config as { linux: { namespaces: { type: string }[] } };
  const namespaces = linux.namespaces.map(({ type }) =>
    type === 'network' ? { type, path: namespacePath } : { type },
  );
  return { linux: { ...linux, namespaces } };
}
