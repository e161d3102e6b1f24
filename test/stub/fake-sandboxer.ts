import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { AttachRequest, ExitReport } from '../../src/sandboxer/api.ts';
import {
  type ServerStream,
  serveConnection,
} from '../../src/sandboxer/connection/server-connection.ts';
import { WardianError } from '../../src/util/errors.ts';
import type { FakeProcess } from './fake-process.ts';

/** The sandboxer as a stub meets it: the real protocol, and processes that a test makes up. */
export class FakeSandboxer {
  readonly socketPath: string;
  readonly calls: { method: string; request: Record<string, unknown> }[] = [];
  readonly attaches: AttachRequest[] = [];
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #process: FakeProcess;
  #listeners: (() => void)[] = [];

  constructor(socketPath: string, process: FakeProcess) {
    this.socketPath = socketPath;
    this.#process = process;
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.socketPath, resolve));
  }

  /** As kill -9 does: connections break in the middle of things, nobody listens. */
  die(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
    rmSync(this.socketPath, { force: true });
  }

  /** Waits until `condition` holds; looked at whenever something was called or attached. */
  async waitFor(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#listeners.push(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    serveConnection(socket, {
      unary: (method, request) => this.#call(method, request as Record<string, unknown>),
      stream: (_method, request, stream) => this.#attach(request as AttachRequest, stream),
    });
  }

  async #call(method: string, request: Record<string, unknown>): Promise<unknown> {
    this.calls.push({ method, request });
    this.#announce();
    if (method === 'kill') this.#process.signal(request['signal'] as number);
    else if (method !== 'resize') throw new WardianError('USAGE', `no method ${method}`);
    return {};
  }

  async #attach(request: AttachRequest, stream: ServerStream): Promise<ExitReport> {
    this.attaches.push(request);
    this.#announce();
    return this.#process.attach(request, stream);
  }

  #announce(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
