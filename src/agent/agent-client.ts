import type { Duplex } from 'node:stream';
import type { WardianError } from '../util/errors.ts';
import type { RequestOf, ResponseOf, UnaryMethod } from './calls.ts';
import { agentBreach, sanitizeGuestText } from './failures.ts';
import type { ContainerState, StartResponse } from './generated/agent_pb.ts';
import { NONCE_BYTES } from './handshake.ts';
import { AgentRpc } from './rpc.ts';
import {
  openStdio,
  type StdioHandlers,
  type StdioOptions,
  type StdioStream,
} from './stdio/stdio-stream.ts';

/** Time for an agent to come up: a cold boot without hardware virtualisation takes a second or two. */
const OFFER_TIMEOUT_MS = 60_000;
/** Time for a call that only takes the guest's attention; most take a millisecond. */
const CALL_TIMEOUT_MS = 15_000;
/** Time for a call that may wait for a disk to be plugged in, or for what is being unmounted. */
const SLOW_CALL_TIMEOUT_MS = 60_000;

export interface AgentClientOptions {
  /** Nonce of the offer that a snapshot was made with: the first requests need not wait for an offer. */
  knownNonce?: Uint8Array;
  /** How long to wait for the agent's offer when no nonce is known. */
  offerTimeoutMs?: number;
  /** Comes when the agent has forgotten calls in flight: the owner lists containers and opens their streams anew. */
  onSessionRestarted?: () => void;
}

export interface RequestOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/**
 * The host's end of one agent. Requests leave at once and are carried out in order, so a start need not
 * await each; a request that fails makes those that need it fail too.
 */
export class AgentClient {
  /** Settles when the channel is done with: undefined after `close()`, else why. Never rejects. */
  readonly ended: Promise<WardianError | undefined>;
  /** Resolves when an offer was accepted; stays pending when the channel ends before. Nobody needs to wait for it. */
  readonly begun: Promise<void>;
  readonly #rpc: AgentRpc;

  /** Takes over an open channel, and returns before anything is known about its other end. */
  static start(channel: Duplex, options: AgentClientOptions = {}): AgentClient {
    return new AgentClient(channel, options);
  }

  private constructor(channel: Duplex, options: AgentClientOptions) {
    this.#rpc = new AgentRpc(channel, {
      offerTimeoutMs: options.offerTimeoutMs ?? OFFER_TIMEOUT_MS,
      onRestart: () => options.onSessionRestarted?.(),
      ...(options.knownNonce === undefined ? {} : { knownNonce: options.knownNonce }),
    });
    this.ended = this.#rpc.ended;
    this.begun = this.#rpc.begun;
  }

  /** Seeds a clone's random numbers, and gives it its clock, name and addresses; always the first call. */
  async personalize(request: RequestOf<'personalize'>, options?: RequestOptions): Promise<void> {
    await this.#call('personalize', request, 'take on its identity', options);
  }

  /** Addresses, routes and neighbours of the interfaces that `personalize` has named. */
  async configureNetwork(
    request: RequestOf<'configureNetwork'>,
    options?: RequestOptions,
  ): Promise<void> {
    await this.#call('configureNetwork', request, 'set its network up', options);
  }

  async ping(options?: RequestOptions): Promise<ResponseOf<'ping'>> {
    const response = await this.#call('ping', {}, 'answer a ping', options);
    return {
      ...response,
      agentVersion: sanitizeGuestText(response.agentVersion),
      kernelRelease: sanitizeGuestText(response.kernelRelease),
    };
  }

  /**
   * Readies the guest for a snapshot and returns the nonce for its clones' first sessions.
   * The session is over then: this client accepts no other, so that the offer stays for the clones.
   */
  async prepareSnapshot(
    request: RequestOf<'prepareSnapshot'> = {},
    options?: RequestOptions,
  ): Promise<Uint8Array> {
    const { session } = this.#rpc;
    session.stopAccepting();
    try {
      const what = 'prepare for a snapshot';
      const { nonce } = await this.#call('prepareSnapshot', request, what, slow(options));
      if (nonce.length === NONCE_BYTES) return Uint8Array.from(nonce);
    } catch (error) {
      session.resumeAccepting();
      throw error;
    }
    const message = 'the guest answered a snapshot request without a nonce';
    session.breach(message);
    throw agentBreach(message);
  }

  /**
   * Readies the guest as for a snapshot, but stays connected: a new session begins on the same channel, of which
   * `onSessionRestarted` tells. Nothing may be asked before that.
   */
  async rest(request: RequestOf<'prepareSnapshot'>, options?: RequestOptions): Promise<void> {
    await this.#call('prepareSnapshot', request, 'come to rest', slow(options));
  }

  /** Builds a container up to the point before exec; resolves to its first process's pid in the guest. */
  async createContainer(
    request: RequestOf<'createContainer'>,
    options?: RequestOptions,
  ): Promise<number> {
    const what = `create container ${request.id}`;
    return (await this.#call('createContainer', request, what, slow(options))).pid;
  }

  /** A command that cannot be run is not a failure here, see `execErrno`. */
  async startContainer(
    request: RequestOf<'startContainer'>,
    options?: RequestOptions,
  ): Promise<StartResponse> {
    const what = `start container ${request.id}`;
    return withCleanMessage(await this.#call('startContainer', request, what, options));
  }

  /** Starts one more process; a command that cannot be run is not a failure here, see `execErrno`. */
  async exec(request: RequestOf<'exec'>, options?: RequestOptions): Promise<StartResponse> {
    const what = `start a process in container ${request.containerId}`;
    return withCleanMessage(await this.#call('exec', request, what, options));
  }

  /** Attaches to the standard streams of a process; leaves in the same write as the calls around it. */
  openStdio(options: StdioOptions, handlers: StdioHandlers): StdioStream {
    return openStdio(this.#rpc, options, handlers);
  }

  async signalProcess(
    request: RequestOf<'signalProcess'>,
    options?: RequestOptions,
  ): Promise<void> {
    const what = `send signal ${request.signal} to container ${request.containerId}`;
    await this.#call('signalProcess', request, what, options);
  }

  async resizeTerminal(
    request: RequestOf<'resizeTerminal'>,
    options?: RequestOptions,
  ): Promise<void> {
    const what = `resize a terminal of container ${request.containerId}`;
    await this.#call('resizeTerminal', request, what, options);
  }

  /** Makes the agent forget an exec process that has ended. */
  async deleteProcess(
    request: RequestOf<'deleteProcess'>,
    options?: RequestOptions,
  ): Promise<void> {
    const what = `delete process ${request.execId} of container ${request.containerId}`;
    await this.#call('deleteProcess', request, what, options);
  }

  /** Kills what is left of a container and forgets it. */
  async deleteContainer(
    request: RequestOf<'deleteContainer'>,
    options?: RequestOptions,
  ): Promise<void> {
    await this.#call('deleteContainer', request, `delete container ${request.id}`, slow(options));
  }

  /** What the agent knows; the names in it are the guest's word, to be compared and never to be trusted. */
  async listContainers(options?: RequestOptions): Promise<ContainerState[]> {
    return (await this.#call('listContainers', {}, 'list its containers', options)).containers;
  }

  async updateContainer(
    request: RequestOf<'updateContainer'>,
    options?: RequestOptions,
  ): Promise<void> {
    await this.#call('updateContainer', request, `update container ${request.id}`, options);
  }

  async stats(request: RequestOf<'stats'>, options?: RequestOptions): Promise<ResponseOf<'stats'>> {
    return await this.#call('stats', request, `measure container ${request.containerId}`, options);
  }

  /** Writes a piece of at most 64 KiB; `copyFileIn` writes whole files. */
  async writeFile(request: RequestOf<'writeFile'>, options?: RequestOptions): Promise<void> {
    const what = `write ${request.path} in container ${request.containerId}`;
    await this.#call('writeFile', request, what, options);
  }

  /** Reads a piece of at most 64 KiB; `copyFileOut` reads whole files. */
  async readFile(
    request: RequestOf<'readFile'>,
    options?: RequestOptions,
  ): Promise<ResponseOf<'readFile'>> {
    const what = `read ${request.path} in container ${request.containerId}`;
    return await this.#call('readFile', request, what, options);
  }

  /** Ends all containers within the grace time and powers the guest off; `ended` follows when it is gone. */
  async shutdown(request: RequestOf<'shutdown'>, options: RequestOptions = {}): Promise<void> {
    const timeoutMs = CALL_TIMEOUT_MS + (request.graceMilliseconds ?? 0);
    await this.#call('shutdown', request, 'shut down', { timeoutMs, ...options });
  }

  /** Hangs up. The agent keeps its containers and waits for another host. */
  close(): void {
    this.#rpc.close();
  }

  #call<M extends UnaryMethod>(
    name: M,
    request: RequestOf<M>,
    what: string,
    { signal, timeoutMs = CALL_TIMEOUT_MS }: RequestOptions = {},
  ): Promise<ResponseOf<M>> {
    return this.#rpc.call(name, request, { what, signal, timeoutMs });
  }
}

function slow(options: RequestOptions = {}): RequestOptions {
  return { timeoutMs: SLOW_CALL_TIMEOUT_MS, ...options };
}

function withCleanMessage(response: StartResponse): StartResponse {
  return { ...response, execMessage: sanitizeGuestText(response.execMessage) };
}
