import type { Duplex } from 'node:stream';
import { WardianError } from '../util/errors.ts';
import { type Frame, FrameError, FrameReader, INTERLUDE } from '../util/ttrpc/frame.ts';
import { agentBreach, agentTimeout } from './failures.ts';
import {
  encodeAccept,
  MarkerScanner,
  OFFER_INTERLUDE,
  type Offer,
  PROTOCOL_VERSION,
  parseOfferRest,
} from './handshake.ts';

/** Bytes that may wait for a guest that does not read, before that counts as a breach. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/**
 * A frame of the guest that is longer is a breach: every two bytes of a message may cost an object, and no honest
 * answer comes near (docs/protocol.md).
 */
export const MAX_FRAME_BYTES = 512 * 1024;

/** New sessions on one channel; an honest agent begins one when it restarts, a hostile one without end. */
const MAX_RESTARTS = 16;

/** Frames that wait for the first offer. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export interface SessionOptions {
  /** Nonce of the offer that waits on this channel, unread. */
  knownNonce?: Uint8Array;
  /** How long to wait for an offer when no nonce is known. */
  offerTimeoutMs: number;
}

export interface SessionEvents {
  /** The first session has begun. */
  onBegin(): void;
  onFrame(frame: Frame): void;
  /** The agent has forgotten all calls in flight and waits for new ones. */
  onRestart(): void;
  /** Comes once, last of all; undefined when it was `close()`. */
  onEnd(error: WardianError | undefined): void;
}

/**
 * One channel to an agent: agrees on sessions, sends and receives frames, and ends at the first breach.
 * What is sent in one tick leaves in one write.
 */
export class AgentSession {
  readonly #channel: Duplex;
  readonly #events: SessionEvents;
  readonly #reader = new FrameReader({
    maxPayloadBytes: MAX_FRAME_BYTES,
    interlude: OFFER_INTERLUDE,
  });
  #scanner: MarkerScanner | undefined;
  /** Frames that wait for the first offer. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #acceptedNonce: Uint8Array | undefined;
  #acceptsOffers = true;
  #restarts = 0;
  #corked = false;
  #ended = false;
  #offerTimer: NodeJS.Timeout | undefined;
  #drainWaiters: (() => void)[] = [];

  constructor(channel: Duplex, events: SessionEvents, options: SessionOptions) {
    this.#channel = channel;
    this.#events = events;
    if (options.knownNonce === undefined) this.#awaitOffer(options.offerTimeoutMs);
    else this.#accept(options.knownNonce);
    channel.on('data', (chunk: Buffer) => this.#receive(chunk));
    channel.on('drain', () => this.#wakeDrainWaiters());
    channel.on('error', (error: Error) => this.#channelGone(error));
    channel.on('end', () => this.#channelGone(undefined));
    channel.on('close', () => this.#channelGone(undefined));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** True while the guest takes bytes more slowly than they come; only bulk data needs to care. */
  get congested(): boolean {
    return this.#scanner !== undefined || this.#channel.writableNeedDrain;
  }

  /** Calls back once, when the channel is no longer congested or has ended. */
  onceDrained(callback: () => void): void {
    this.#drainWaiters.push(callback);
  }

  /** Sends buffers as they are, without copying; they must not change afterwards. */
  send(buffers: Buffer[]): void {
    if (this.#ended) return;
    if (this.#scanner !== undefined) this.#wait(buffers);
    else this.#write(buffers);
  }

  /** A host that has asked for a snapshot leaves the next offer to its successors. */
  stopAccepting(): void {
    this.#acceptsOffers = false;
  }

  resumeAccepting(): void {
    this.#acceptsOffers = true;
  }

  close(): void {
    this.#end(undefined);
  }

  /** Ends the session because the guest broke the rules. */
  breach(message: string, cause?: unknown): void {
    this.#end(agentBreach(message, cause));
  }

  #awaitOffer(timeoutMs: number): void {
    this.#scanner = new MarkerScanner('offer');
    this.#offerTimer = setTimeout(
      () => this.#end(agentTimeout('offer a session', timeoutMs)),
      timeoutMs,
    );
  }

  #accept(nonce: Uint8Array): void {
    this.#acceptedNonce = nonce;
    this.#write([encodeAccept(nonce)]);
  }

  #wait(buffers: Buffer[]): void {
    for (const buffer of buffers) this.#waitingBytes += buffer.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      throw new WardianError('INTERNAL', 'too much is sent to an agent that has not come up yet');
    }
    this.#waiting.push(...buffers);
  }

  #write(buffers: Buffer[]): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#channel.cork();
      process.nextTick(() => this.#flush());
    }
    for (const buffer of buffers) this.#channel.write(buffer);
  }

  #flush(): void {
    this.#corked = false;
    this.#channel.uncork();
    if (this.#channel.writableLength > MAX_BACKLOG_BYTES) {
      this.breach(`the guest leaves ${this.#channel.writableLength} bytes unread`);
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    if (this.#scanner === undefined) {
      this.#readFrames(chunk);
      return;
    }
    const found = this.#scanner.push(chunk);
    if (found === undefined || !this.#isOurVersion(found.marker)) return;
    this.#begin(found.marker);
    if (found.rest.length > 0) this.#readFrames(found.rest);
  }

  #begin(offer: Offer): void {
    clearTimeout(this.#offerTimer);
    this.#scanner = undefined;
    this.#accept(offer.nonce);
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (waiting.length > 0) this.#write(waiting);
    this.#events.onBegin();
    this.#wakeDrainWaiters();
  }

  #readFrames(chunk: Buffer): void {
    let frames: Frame[];
    try {
      frames = this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.breach(`the guest broke the framing: ${error.message}`);
      return;
    }
    for (const frame of frames) {
      // A frame may have ended the session; those behind it are no longer ours.
      if (this.#ended) return;
      if (frame.type === INTERLUDE) this.#receiveOffer(frame.payload);
      else this.#events.onFrame(frame);
    }
  }

  #receiveOffer(rest: Uint8Array): void {
    const offer = parseOfferRest(rest);
    if (offer === undefined) {
      this.breach('the guest sent a damaged offer');
      return;
    }
    if (!this.#acceptsOffers || !this.#isOurVersion(offer)) return;
    if (this.#acceptedNonce !== undefined && offer.nonce.equals(this.#acceptedNonce)) return;
    if (++this.#restarts > MAX_RESTARTS) {
      this.breach(`the guest agent began a new session ${this.#restarts} times`);
      return;
    }
    this.#accept(offer.nonce);
    this.#events.onRestart();
  }

  #isOurVersion(offer: Offer): boolean {
    if (offer.version === PROTOCOL_VERSION) return true;
    const message = `the guest agent speaks version ${offer.version} of the protocol, this host version ${PROTOCOL_VERSION}`;
    this.#end(
      new WardianError('AGENT_VERSION', message, {
        hint: 'the guest image is of another release; remove the guest folder of the cache (see wardian info) and run ./wardian again',
      }),
    );
    return false;
  }

  #channelGone(cause: Error | undefined): void {
    this.#end(new WardianError('SANDBOX_DIED', 'the channel to the guest agent closed', { cause }));
  }

  #end(error: WardianError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#offerTimer);
    this.#waiting = [];
    // What was sent in this very tick still leaves when we hang up ourselves.
    if (error === undefined && this.#corked) this.#channel.uncork();
    this.#channel.destroy();
    this.#wakeDrainWaiters();
    this.#events.onEnd(error);
  }

  #wakeDrainWaiters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const wake of waiters) wake();
  }
}
