import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { captureCommand } from '../../src/host/spawn.ts';
import type { Cleanup } from '../../src/util/cleanup.ts';

const LIMITS = { timeoutMs: 30_000, maxOutputBytes: 4096 };
/** The first ones meet code that never ran before. */
const ROUND_TRIPS = 100;
const FIRST_ROUND_TRIPS = 20;
const CHUNK = Buffer.alloc(256 * 1024);

/** A network namespace with one interface, whose other end is here, as engines make them. */
export interface NetworkLink {
  /** Of the namespace: for the configuration of a container. */
  readonly path: string;
  /** Of this end. */
  readonly address: string;
}

let linkCount = 0;

export async function openNetworkLink(cleanup: Cleanup): Promise<NetworkLink> {
  const place = ++linkCount; // the kernel takes a moment to forget one that is closed
  const keeper = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 3600'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  cleanup.defer('network namespace', async () => {
    const gone = once(keeper, 'exit');
    keeper.kill('SIGKILL');
    await gone;
  });
  await once(keeper.stdout, 'data');
  const [name, address, other] = [`bench${place}`, `10.213.${place}.1`, `10.213.${place}.2`];
  const namespace = String(keeper.pid);
  const ip = async (...argv: string[]) => void (await captureCommand('ip', argv, LIMITS));
  await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
  await ip('address', 'add', `${address}/24`, 'dev', name);
  await ip('link', 'set', name, 'up');
  const inside = ['--target', namespace, '--net', '--', 'ip', '-batch', '-'];
  const lines = ['link set lo up', `address add ${other}/24 dev eth0`, 'link set eth0 up'];
  await captureCommand('nsenter', inside, { ...LIMITS, input: lines.join('\n') });
  return { path: `/proc/${namespace}/ns/net`, address };
}

/** What a connection from a container is measured by. */
export type Exchange = (socket: Socket) => Promise<number>;

/** Milliseconds until this much has come. */
export function receive(sizeBytes: number): Exchange {
  return async (socket) => {
    const startMs = performance.now();
    let count = 0;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      count += chunk.length;
      if (count >= sizeBytes) break;
    }
    if (count < sizeBytes) throw new Error(`the container sent ${count} bytes only`);
    return performance.now() - startMs;
  };
}

/** Milliseconds until this much has been taken by the other end. */
export function send(sizeBytes: number): Exchange {
  return async (socket) => {
    const startMs = performance.now();
    for (let count = 0; count < sizeBytes; count += CHUNK.length) {
      if (!socket.write(CHUNK)) await once(socket, 'drain');
    }
    socket.end();
    socket.resume();
    await once(socket, 'close'); // the container closes when it has read everything
    return performance.now() - startMs;
  };
}

/** Milliseconds of a hundred times a byte there and back, through a program that echoes. */
export async function roundTrips(socket: Socket): Promise<number> {
  socket.setNoDelay();
  let startMs = 0;
  for (let i = 0; i < FIRST_ROUND_TRIPS + ROUND_TRIPS; i++) {
    if (i === FIRST_ROUND_TRIPS) startMs = performance.now();
    socket.write('x');
    await once(socket, 'data');
  }
  return performance.now() - startMs;
}

/** Listens at this end for one connection, has the container started, and measures what they exchange. */
export async function measureExchange(
  { address }: NetworkLink,
  exchange: Exchange,
  startContainer: (port: number) => Promise<unknown>,
): Promise<number> {
  const server = createServer({ allowHalfOpen: true }); // containers have nothing to say
  try {
    const port = await listen(server, address);
    const connected = once(server, 'connection') as Promise<[Socket]>;
    const ended = startContainer(port);
    const [socket] = await Promise.race([connected, ended.then(failUnconnected)]);
    socket.on('error', () => {}); // told by what is exchanged
    const value = await exchange(socket);
    socket.destroy();
    await ended;
    return value;
  } finally {
    server.close();
  }
}

async function listen(server: Server, address: string): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

function failUnconnected(): never {
  throw new Error('the container ended without a connection');
}
