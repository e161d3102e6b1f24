/**
 * A sandboxer without virtual machines, for tests of its clients: an executable that speaks the real protocol.
 * The "machines" are files beside its socket, so they outlive it: it can be killed at any instant and the next
 * one goes on. What a container does is its command: `cat`, `produce BYTES`, `exit CODE`, `signals`, `size`.
 *
 * `FAKE_DIE_AFTER` and `FAKE_DEATHS`: kill itself with -9 whenever it has sent or received so many bytes, so many
 * times. `FAKE_REFUSE`: say that it cannot start. `FAKE_STAYS`: agree to leave, and stay.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { serializeError, WardianError } from '../../util/errors.ts';
import {
  type AttachRequest,
  type ExitReport,
  type RunRequest,
  SOCKET_NAME,
  STREAM_KIND,
  STREAM_WINDOW_BYTES,
} from '../api.ts';
import {
  type ServerHandlers,
  type ServerStream,
  serveConnection,
} from '../connection/server-connection.ts';
import { gateVersion } from '../connection/version-gate.ts';
import { READY_VARIABLE } from '../start-sandboxer.ts';

const { env } = process;
const folder = env['WARDIAN_RUNTIME_DIR'] ?? '';
const socketPath = path.join(folder, SOCKET_NAME);
const version = env['FAKE_VERSION'] ?? '0.1.0';
const dieAfter = Number(env['FAKE_DIE_AFTER'] ?? Number.POSITIVE_INFINITY);
const deaths = Number(env['FAKE_DEATHS'] ?? 0);
const CHUNK_BYTES = 64 * 1024;

let movedBytes = 0;
const signalListeners = new Set<(signal: number) => void>();
const sizeListeners = new Set<(size: string) => void>();

function sayReady(message: object): void {
  writeSync(Number(env[READY_VARIABLE] ?? 1), `${JSON.stringify(message)}\n`);
}

/** Counts bytes, and dies in the middle of things when it is time. */
function count(bytes: number): void {
  movedBytes += bytes;
  if (movedBytes < dieAfter) return;
  const deathsPath = path.join(folder, 'deaths');
  const died = existsSync(deathsPath) ? readFileSync(deathsPath).length : 0;
  if (died >= deaths) return;
  appendFileSync(deathsPath, 'x');
  process.kill(process.pid, 'SIGKILL');
}

function requestPath(id: string): string {
  return path.join(folder, `${id.slice(0, 64)}.json`);
}

function loadRequest(id: string): RunRequest | undefined {
  const file = requestPath(id);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as RunRequest) : undefined;
}

async function call(method: string, request: unknown): Promise<unknown> {
  appendFileSync(path.join(folder, 'calls'), `${JSON.stringify({ method, request })}\n`);
  switch (method) {
    case 'hello':
      return { version, pid: process.pid, provisional: false };
    case 'run': {
      const run = request as RunRequest;
      if (run.image === 'missing') {
        throw new WardianError('IMAGE_NOT_FOUND', 'no image is called "missing"', {
          hint: 'load it first',
        });
      }
      if (run.image === 'slow') await new Promise((resolve) => setTimeout(resolve, 1000));
      writeFileSync(requestPath(run.id), JSON.stringify(run));
      return { id: run.id, name: run.name ?? 'fake', warnings: [] };
    }
    case 'kill':
      for (const listener of signalListeners) listener((request as { signal: number }).signal);
      return {};
    case 'resize': {
      const { rows, columns } = request as { rows: number; columns: number };
      for (const listener of sizeListeners) listener(`${rows}x${columns}\n`);
      return {};
    }
    case 'list':
      return { containers: JSON.parse(env['FAKE_CONTAINERS'] ?? '[]') as unknown };
    case 'shutdown':
      if (env['FAKE_STAYS'] !== undefined) return {};
      rmSync(socketPath, { force: true });
      setImmediate(() => process.exit(0));
      return {};
    default:
      throw new WardianError('CONTAINER_NOT_FOUND', `no container for ${method}`);
  }
}

async function attach(request: AttachRequest, stream: ServerStream): Promise<ExitReport> {
  stream.send(STREAM_KIND.progress, 0, Buffer.from('getting ready'));
  for (let tries = 0; loadRequest(request.container) === undefined; tries++) {
    if (tries > 1000) throw new WardianError('CONTAINER_NOT_FOUND', 'no such container');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [verb = '', argument = ''] = loadRequest(request.container)?.command ?? [];
  const from = typeof request.from === 'object' ? request.from : { stdout: 0, stderr: 0, stdin: 0 };
  if (verb === 'produce') return produce(Number(argument), from.stdout, stream);
  if (verb === 'cat') return cat(request, from, stream);
  if (verb === 'signals') return reportSignals(stream);
  if (verb === 'size') return reportSizes(stream, Number(argument));
  if (verb === 'died') {
    return { exitCode: 255, signal: 0, outOfMemory: false, sandboxFailure: 'its machine crashed' };
  }
  return exit(Number(argument));
}

function exit(exitCode: number): ExitReport {
  return { exitCode, signal: 0, outOfMemory: false };
}

/** The bytes that `produce` writes: at every offset the same, whoever asks. */
export function makeOutput(offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index++) {
    const at = offset + index;
    bytes[index] = (at ^ (at >>> 8) ^ (at >>> 16)) & 0xff;
  }
  return bytes;
}

/** Sends what is between `start` and `total`, no more than the window beyond what is acknowledged. */
function createSender(
  stream: ServerStream,
  start: number,
  read: (offset: number, length: number) => Buffer,
) {
  let sent = start;
  let acknowledged = start;
  return {
    acknowledge(offset: number): void {
      acknowledged = Math.max(acknowledged, offset);
    },
    get acknowledged(): number {
      return acknowledged;
    },
    sendUpTo(total: number): void {
      while (sent < total && sent - acknowledged < STREAM_WINDOW_BYTES) {
        const room = STREAM_WINDOW_BYTES - (sent - acknowledged);
        const bytes = read(sent, Math.min(CHUNK_BYTES, total - sent, room));
        stream.send(STREAM_KIND.stdout, sent, bytes);
        sent += bytes.length;
        count(bytes.length);
      }
    },
    get sent(): number {
      return sent;
    },
  };
}

function produce(total: number, start: number, stream: ServerStream): Promise<ExitReport> {
  return new Promise((resolve) => {
    const sender = createSender(stream, start, makeOutput);
    const advance = (): void => {
      sender.sendUpTo(total);
      if (sender.sent === total) resolve(exit(0));
    };
    stream.onFrame((kind, offset) => {
      if (kind === STREAM_KIND.stdoutAcknowledged) sender.acknowledge(offset);
      advance();
    });
    advance();
  });
}

/** Echoes stdin; what came is in a file, and acknowledged when its echo is. */
function cat(
  request: AttachRequest,
  from: { stdin: number; stdout: number },
  stream: ServerStream,
): Promise<ExitReport> {
  const file = openSync(path.join(folder, `${request.container.slice(0, 64)}.stdin`), 'a+');
  const endPath = path.join(folder, `${request.container.slice(0, 64)}.end`);
  let received = fstatSync(file).size;
  return new Promise((resolve) => {
    const sender = createSender(stream, from.stdout, (offset, length) => {
      const bytes = Buffer.alloc(length);
      readSync(file, bytes, 0, length, offset);
      return bytes;
    });
    const advance = (): void => {
      sender.sendUpTo(received);
      if (!existsSync(endPath) || sender.sent < received) return;
      closeSync(file);
      resolve(exit(0));
    };
    stream.onFrame((kind, offset, bytes) => {
      if (kind === STREAM_KIND.stdin) {
        const fresh = bytes.subarray(Math.max(0, received - offset));
        if (offset > received) throw new Error(`a gap before ${offset}`);
        writeSync(file, fresh);
        received += fresh.length;
        count(fresh.length);
      } else if (kind === STREAM_KIND.stdinEof) {
        if (offset !== received) throw new Error(`the end is at ${offset}, not ${received}`);
        writeFileSync(endPath, '');
      } else if (kind === STREAM_KIND.stdoutAcknowledged) {
        sender.acknowledge(offset);
        stream.send(STREAM_KIND.stdinAcknowledged, sender.acknowledged);
      } else if (kind === STREAM_KIND.detach) {
        resolve(exit(0));
      }
      advance();
    });
    // A client that comes back may wait for this: its window can be full.
    stream.send(STREAM_KIND.stdinAcknowledged, sender.acknowledged);
    advance();
  });
}

/** Prints the number of each signal; ends with 128 + 15 on TERM. */
function reportSignals(stream: ServerStream): Promise<ExitReport> {
  let offset = 0;
  const print = (text: string): void => {
    stream.send(STREAM_KIND.stdout, offset, Buffer.from(text));
    offset += text.length;
  };
  stream.onFrame(() => {});
  print('ready\n');
  return new Promise((resolve) => {
    signalListeners.add((signal) => {
      print(`${signal}\n`);
      if (signal === 15) resolve({ exitCode: 143, signal: 15, outOfMemory: false });
    });
  });
}

/** Prints each size of the terminal that it is told, and ends after so many. */
function reportSizes(stream: ServerStream, times: number): Promise<ExitReport> {
  let offset = 0;
  let left = times;
  stream.onFrame(() => {});
  return new Promise((resolve) => {
    sizeListeners.add((size) => {
      stream.send(STREAM_KIND.stdout, offset, Buffer.from(size));
      offset += size.length;
      left -= 1;
      if (left === 0) resolve(exit(0));
    });
  });
}

function start(): void {
  mkdirSync(folder, { recursive: true });
  appendFileSync(path.join(folder, 'starts'), 'x');
  if (env['FAKE_REFUSE'] !== undefined) {
    sayReady({ error: serializeError(new WardianError('HYPERVISOR_MISSING', 'there is no QEMU')) });
    process.exit(1);
  }
  if (env['FAKE_CRASH'] !== undefined) throw new Error('crashed at once');
  rmSync(socketPath, { force: true });
  const server = createServer((socket) => {
    const handlers: ServerHandlers = {
      unary: call,
      stream: (_method, request, stream) => attach(request as AttachRequest, stream),
    };
    serveConnection(socket, gateVersion(handlers, { version, hangUp: () => socket.destroy() }));
  });
  server.listen(socketPath, () => {
    writeFileSync(path.join(folder, 'pid'), String(process.pid));
    sayReady({ ready: true });
  });
}

if (process.argv[1]?.endsWith('fake-sandboxer.ts')) start();
