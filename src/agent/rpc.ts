import type { Duplex } from 'node:stream';
import { WardianError } from '../util/errors.ts';
import { decodeMessage, encodeMessage, WireError } from '../util/protobuf.ts';
import { encodeFrame, FRAME_FLAG, FRAME_TYPE, type Frame } from '../util/ttrpc/frame.ts';
import { RequestSchema, ResponseSchema } from '../util/ttrpc/generated/ttrpc_pb.ts';
import {
  METHODS,
  type MethodName,
  type RequestOf,
  type ResponseOf,
  type UnaryMethod,
} from './calls.ts';
import { agentBreach, agentFailed, agentTimeout, sessionRestarted } from './failures.ts';
import { AgentSession, type SessionOptions } from './session.ts';

const MAX_STREAM_ID = 0xffffffff;

export interface RpcOptions extends SessionOptions {
  onRestart(): void;
}

export interface CallOptions {
  /** What is asked, as an infinitive for error messages: "start container web". */
  what: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** Whoever waits for what comes back on one stream. */
export interface StreamSink {
  what: string;
  /** Makes it a stream in both directions. A data frame; throws WireError or an error made by `agentBreach` when it breaks the rules. */
  onData?(payload: Buffer): void;
  onResponse(payload: Uint8Array): void;
  onFailure(error: WardianError): void;
}

/** Calls over one channel: numbers streams, matches what comes back to them, and fails them when the session ends. */
export class AgentRpc {
  /** Settles when the channel is done with: undefined after `close()`. Never rejects. */
  readonly ended: Promise<WardianError | undefined>;
  /** Resolves when an offer was accepted; stays pending when the session ends before. */
  readonly begun: Promise<void>;
  readonly session: AgentSession;
  readonly #sinks = new Map<number, StreamSink>();
  /** Calls that were given up: their answers may still come. */
  readonly #abandoned = new Set<number>();
  readonly #onRestart: () => void;
  #nextStreamId = 1;
  #end: { error: WardianError | undefined } | undefined;
  #resolveEnded: (error: WardianError | undefined) => void = () => {};

  constructor(channel: Duplex, options: RpcOptions) {
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    let begin = (): void => {};
    this.begun = new Promise((resolve) => {
      begin = resolve;
    });
    this.#onRestart = options.onRestart;
    const events = {
      onBegin: () => begin(),
      onFrame: (frame: Frame) => this.#receive(frame),
      onRestart: () => this.#restart(),
      onEnd: (error: WardianError | undefined) => this.#finish(error),
    };
    this.session = new AgentSession(channel, events, options);
    if (options.knownNonce !== undefined) begin();
  }

  /** Sends a request at once, whatever is still unanswered; it is carried out after those before it. */
  call<M extends UnaryMethod>(
    name: M,
    request: RequestOf<M>,
    options: CallOptions,
  ): Promise<ResponseOf<M>> {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted) throw cancelled(options.what);
      const { input, output } = METHODS[name];
      const payload = encodeMessage(input, request);
      let lift = (): void => {};
      const streamId = this.open(name, payload, {
        what: options.what,
        onResponse: (bytes) => {
          // Decoded first: a response that cannot be read ends the session, and that fails this call.
          const response = decodeMessage(output, bytes) as ResponseOf<M>;
          lift();
          resolve(response);
        },
        onFailure: (error) => {
          lift();
          reject(error);
        },
      });
      lift = limitCall(options, (error) => this.abandon(streamId, error));
    });
  }

  /** Opens a stream and returns its id; the sink hears of everything but the failures thrown here. */
  open(name: MethodName, payload: Uint8Array, sink: StreamSink): number {
    if (this.#end !== undefined) throw this.#end.error ?? cancelled(sink.what);
    const streamId = this.#takeStreamId();
    const { name: method, parent } = METHODS[name];
    const request = encodeMessage(RequestSchema, { service: parent.typeName, method, payload });
    const type = FRAME_TYPE.request;
    const flags = sink.onData === undefined ? 0 : FRAME_FLAG.remoteOpen;
    this.session.send(encodeFrame({ streamId, type, flags, payload: request }));
    this.#sinks.set(streamId, sink);
    return streamId;
  }

  /** Fails a call on this side; whatever comes for it later is dropped. */
  abandon(streamId: number, error: WardianError): void {
    const sink = this.#sinks.get(streamId);
    if (sink === undefined) return;
    this.#sinks.delete(streamId);
    this.#abandoned.add(streamId);
    sink.onFailure(error);
  }

  /** Gives up a call because its owner wants no more of it. */
  cancel(streamId: number): void {
    const sink = this.#sinks.get(streamId);
    if (sink !== undefined) this.abandon(streamId, cancelled(sink.what));
  }

  close(): void {
    this.session.close();
  }

  #takeStreamId(): number {
    const streamId = this.#nextStreamId;
    if (streamId > MAX_STREAM_ID) throw new WardianError('INTERNAL', 'stream ids are used up');
    this.#nextStreamId += 2;
    return streamId;
  }

  #receive(frame: Frame): void {
    try {
      if (frame.type === FRAME_TYPE.data) this.#receiveData(frame);
      else if (frame.type === FRAME_TYPE.response) this.#receiveResponse(frame);
      else throw agentBreach('the guest sent a request');
    } catch (error) {
      if (error instanceof WireError) {
        this.session.breach(`the guest sent a malformed message: ${error.message}`, error);
      } else if (error instanceof WardianError && error.code === 'AGENT_PROTOCOL') {
        this.session.breach(error.message, error.cause);
      } else throw error;
    }
  }

  #receiveData(frame: Frame): void {
    const sink = this.#sinks.get(frame.streamId);
    if (sink?.onData !== undefined) {
      if ((frame.flags & FRAME_FLAG.noData) === 0) sink.onData(frame.payload as Buffer);
    } else if (!this.#abandoned.has(frame.streamId)) {
      throw agentBreach(`the guest sent data on stream ${frame.streamId}, which takes none`);
    }
  }

  #receiveResponse({ streamId, payload }: Frame): void {
    const sink = this.#sinks.get(streamId);
    if (sink === undefined) {
      if (this.#abandoned.delete(streamId)) return;
      throw agentBreach(`the guest answered stream ${streamId}, which awaits no answer`);
    }
    const response = decodeMessage(ResponseSchema, payload);
    const { status } = response;
    if (status === undefined || status.code === 0) sink.onResponse(response.payload);
    else sink.onFailure(agentFailed(sink.what, status.code, status.message));
    this.#sinks.delete(streamId);
  }

  #restart(): void {
    this.#abandoned.clear();
    this.#failAll(sessionRestarted);
    this.#onRestart();
  }

  #finish(error: WardianError | undefined): void {
    this.#end = { error };
    this.#failAll((what) => error ?? cancelled(what));
    this.#resolveEnded(error);
  }

  #failAll(errorFor: (what: string) => WardianError): void {
    const sinks = [...this.#sinks.values()];
    this.#sinks.clear();
    for (const sink of sinks) sink.onFailure(errorFor(sink.what));
  }
}

/** Gives up when the time is over or the caller says so; returns what lifts both limits. */
function limitCall(
  { what, timeoutMs, signal }: CallOptions,
  giveUp: (error: WardianError) => void,
): () => void {
  const timer = setTimeout(() => giveUp(agentTimeout(what, timeoutMs)), timeoutMs);
  const abort = (): void => giveUp(cancelled(what));
  signal?.addEventListener('abort', abort, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  };
}

function cancelled(what: string): WardianError {
  return new WardianError('CANCELLED', `the request to ${what} was cancelled`);
}
