import { connect as connectSocket, type Socket } from 'node:net';
import path from 'node:path';
import { type Directories, ensurePrivateDirectory } from '../host/directories.ts';
import { hasErrno, WardianError } from '../util/errors.ts';
import { type SandboxerMethods, type SandboxerStreams, SOCKET_NAME } from './api.ts';
import {
  ClientConnection,
  type ClientStream,
  type FrameListener,
} from './connection/client-connection.ts';

export type { ClientStream, FrameListener } from './connection/client-connection.ts';

type Method = keyof SandboxerMethods;
type StreamMethod = keyof SandboxerStreams;

export interface ClientOptions {
  readonly directories: Directories;
  /** Of this build; a sandboxer of another one is replaced when nothing runs, and refused otherwise. */
  readonly version: string;
  /** The file that Node runs when no sandboxer answers. */
  readonly sandboxerPath: string;
  /** For a sandboxer that is started. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/** How often to try again when sandboxers come and go under our feet (each try may start one). */
const MAX_ATTEMPTS = 5;

/** A sandboxer that leaves says so by closing; one that lost a race for the lock leaves at once: a short breath. */
const RETRY_DELAY_MS = 50;

/** A hung sandboxer is not waited for: `hello` needs no work. */
const HELLO_TIMEOUT_MS = 10_000;

/** Nor one that was asked to leave: it ends the machines that wait in its pool, which takes tenths of a second. */
const LEAVE_TIMEOUT_MS = 10_000;

/** Longest path of a unix socket that the kernel takes (sun_path without its zero). */
const MAX_SOCKET_PATH_BYTES = 107;

/** A connection to the sandboxer of this user. */
export class SandboxerClient {
  readonly #connection: ClientConnection;
  /** True when there was no sandboxer, and one was started for this. */
  hasStarted = false;

  private constructor(connection: ClientConnection) {
    this.#connection = connection;
  }

  /** Connects, and starts a sandboxer when there is none. */
  static async connect(options: ClientOptions): Promise<SandboxerClient> {
    for (let attempt = 1; ; attempt++) {
      throwIfCancelled(options.signal);
      const client = await SandboxerClient.connectIfRunning(options);
      if (client !== undefined) {
        client.hasStarted = attempt > 1;
        return client;
      }
      const { SANDBOXER_LOG_NAME, startFailure, startSandboxer } = await import(
        './start-sandboxer.ts'
      );
      if (attempt === MAX_ATTEMPTS) {
        throw startFailure(path.join(options.directories.runtime, SANDBOXER_LOG_NAME));
      }
      const { ready } = await startSandboxer(options);
      if (!ready) await new Promise((resolve) => setTimeout(resolve, attempt * RETRY_DELAY_MS));
    }
  }

  /**
   * Connects like `connect`, but does not wait for the greeting's answer: the first calls leave with it. Should the
   * sandboxer be of another build, or hang, they fail as if it had died, so this is for calls that are made again then.
   */
  static async connectAtOnce(options: ClientOptions): Promise<SandboxerClient> {
    const { runtime } = options.directories;
    ensurePrivateDirectory(runtime);
    const socket = await openSocket(path.join(runtime, SOCKET_NAME));
    if (socket === undefined) return SandboxerClient.connect(options);
    const client = new SandboxerClient(new ClientConnection(socket));
    client.#greetMeanwhile(options.version);
    return client;
  }

  /** Connects to a sandboxer of this build; undefined when none runs. */
  static async connectIfRunning(options: ClientOptions): Promise<SandboxerClient | undefined> {
    const { runtime } = options.directories;
    ensurePrivateDirectory(runtime);
    const socket = await openSocket(path.join(runtime, SOCKET_NAME));
    if (socket === undefined) return undefined;
    const client = new SandboxerClient(new ClientConnection(socket));
    try {
      const isOurs = await client.#greet(options);
      if (isOurs) return client;
      client.close();
      return undefined;
    } catch (error) {
      const leftMeanwhile = !client.isOpen && !options.signal?.aborted;
      client.close();
      if (leftMeanwhile) return undefined;
      throw error;
    }
  }

  /** False once the sandboxer has gone or `close` was called. */
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** Fulfilled when the connection is gone, for whatever reason. */
  get lost(): Promise<void> {
    return this.#connection.closed;
  }

  /** Rejected with the sandboxer's error; SANDBOXER_UNREACHABLE when it went away before it answered. */
  async call<M extends Method>(
    method: M,
    request: SandboxerMethods[M]['request'],
    options: { signal?: AbortSignal } = {},
  ): Promise<SandboxerMethods[M]['response']> {
    const response = await this.#connection.call(method, request, options.signal);
    return response as SandboxerMethods[M]['response'];
  }

  /** Opens a stream; `onFrame` gets every frame, and must not throw. */
  openStream<M extends StreamMethod>(
    method: M,
    request: SandboxerStreams[M]['request'],
    handlers: { onFrame: FrameListener },
    options: { signal?: AbortSignal } = {},
  ): ClientStream<SandboxerStreams[M]['response']> {
    const stream = this.#connection.openStream(method, request, handlers.onFrame, options.signal);
    return stream as ClientStream<SandboxerStreams[M]['response']>;
  }

  /** Stops taking frames until `resume`, for a reader that cannot keep up. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** Closes after what was sent has left. */
  close(): void {
    this.#connection.close();
  }

  /** True when the sandboxer is of our build; false when it was of another one and has left for ours. */
  async #greet({ version, signal: cancel }: ClientOptions): Promise<boolean> {
    const timeout = AbortSignal.timeout(HELLO_TIMEOUT_MS);
    const signal = cancel ? AbortSignal.any([cancel, timeout]) : timeout;
    try {
      const hello = await this.call('hello', { version }, { signal });
      if (hello.version === version) return true;
      await this.#replace(hello.version, version);
      return false;
    } catch (error) {
      if (timeout.aborted) throw hung();
      throw error;
    }
  }

  #greetMeanwhile(version: string): void {
    const timer = setTimeout(() => this.close(), HELLO_TIMEOUT_MS);
    const closeUnlessOurs = (hello: { version: string } | undefined): void => {
      clearTimeout(timer);
      if (hello?.version !== version) this.close();
    };
    this.call('hello', { version }).then(closeUnlessOurs, () => closeUnlessOurs(undefined));
  }

  async #replace(theirs: string, ours: string): Promise<void> {
    const timeout = AbortSignal.timeout(LEAVE_TIMEOUT_MS);
    try {
      await this.call('shutdown', { force: false }, { signal: timeout });
    } catch (cause) {
      if (!this.isOpen) return;
      if (timeout.aborted) throw hung();
      throw new WardianError(
        'SANDBOXER_UNREACHABLE',
        `the sandboxer that runs is version ${theirs}, and this is ${ours}`,
        { cause, hint: 'use that version, or stop its containers first' },
      );
    }
    const late = new Promise<'late'>((resolve) => {
      timeout.addEventListener('abort', () => resolve('late'), { once: true });
    });
    if ((await Promise.race([this.lost, late])) === 'late') throw hung();
  }
}

function hung(): WardianError {
  return new WardianError('SANDBOXER_UNREACHABLE', 'the sandboxer does not answer', {
    hint: 'end its process; containers go on without it and the next one takes them over',
  });
}

/** Undefined when nobody listens there. */
async function openSocket(socketPath: string): Promise<Socket | undefined> {
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH_BYTES) {
    throw new WardianError('CONFIG_INVALID', `${socketPath} is too long for a socket`, {
      hint: 'set WARDIAN_RUNTIME_DIR to a shorter path',
    });
  }
  const socket = connectSocket(socketPath);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    socket.removeAllListeners('error');
    return socket;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ECONNREFUSED')) return undefined;
    throw new WardianError('SANDBOXER_UNREACHABLE', `cannot connect to ${socketPath}`, {
      cause: error,
    });
  }
}

function throwIfCancelled(signal?: AbortSignal): void {
  if (signal?.aborted) throw new WardianError('CANCELLED', 'the connection was cancelled');
}
