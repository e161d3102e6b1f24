import type { Duplex } from 'node:stream';
import { serializeError, WardianError } from '../../util/errors.ts';
import { FRAME_FLAG, FRAME_TYPE, type Frame, FrameError } from '../../util/ttrpc/frame.ts';
import { STREAM_WINDOW_BYTES, type StreamKind } from '../api.ts';
import { CANCEL_FLAGS, Connection, decodeMessage, encodeMessage, wrapData } from './connection.ts';
import { decodeStreamFrame, encodeStreamFrames, type StreamFrame } from './stream-frame.ts';

/** What the sandboxer does with calls; errors that are thrown go to the client as they are. */
export interface ServerHandlers {
  /** `signal` is aborted when the client no longer waits or is gone. */
  unary(method: string, request: unknown, signal: AbortSignal): Promise<unknown>;
  /** The stream ends with what this returns; frames that were sent before arrive before. */
  stream(method: string, request: unknown, stream: ServerStream): Promise<unknown>;
}

/** The sandboxer's end of a stream call. */
export interface ServerStream {
  /** Sends a frame, cut where it is long; dropped when the client is gone. */
  send(kind: StreamKind, offset: number, bytes?: Uint8Array): void;
  /** Fulfilled when the socket takes more, or is closed. */
  drained(): Promise<void>;
  /** Names the listener; it gets what came before, too. What it throws ends the connection. */
  onFrame(listener: (kind: StreamKind, offset: number, bytes: Buffer) => void): void;
  /** Aborted when the client no longer waits or is gone. */
  readonly signal: AbortSignal;
  /** Fulfilled when the client no longer waits or is gone. */
  readonly closed: Promise<void>;
}

/** Calls that one client may have under way. */
const MAX_CALLS = 1024;

/** Bytes that may wait for a listener; a client that keeps to its window sends fewer. */
const MAX_WAITING_BYTES = 2 * STREAM_WINDOW_BYTES;

/** Frames that may wait for a listener: acknowledgements carry no bytes, but cost memory too. */
const MAX_WAITING_FRAMES = 1024;

/** Serves the calls that arrive on `socket` until it closes. */
export function serveConnection(socket: Duplex, handlers: ServerHandlers): Connection {
  const calls = new Map<number, ServerCall>();
  let lastId = 0;

  const connection = new Connection(socket, (frame) => {
    if (frame.type === FRAME_TYPE.request) {
      if (frame.streamId % 2 === 0 || frame.streamId <= lastId) {
        throw new FrameError(`a request came on stream ${frame.streamId} after ${lastId}`);
      }
      if (calls.size >= MAX_CALLS) throw new FrameError(`more than ${MAX_CALLS} calls at a time`);
      lastId = frame.streamId;
      const call = new ServerCall(connection, frame.streamId);
      calls.set(frame.streamId, call);
      void answer(call, frame, handlers).finally(() => calls.delete(frame.streamId));
    } else if (frame.type === FRAME_TYPE.data) {
      // A call that is unknown has just ended: the client did not know that yet.
      calls.get(frame.streamId)?.receive(frame);
    } else {
      throw new FrameError('a client sent a response');
    }
  });

  void connection.closed.then(() => {
    for (const call of calls.values()) call.abort();
  });
  return connection;
}

/** Runs the handler of one call and sends its response; never rejects. */
async function answer(call: ServerCall, frame: Frame, handlers: ServerHandlers): Promise<void> {
  try {
    const { method, request } = decodeMessage(frame);
    if (typeof method !== 'string') throw new WardianError('USAGE', 'a request names no method');
    const isStream = (frame.flags & FRAME_FLAG.remoteOpen) !== 0;
    const response = isStream
      ? await handlers.stream(method, request, call)
      : await handlers.unary(method, request, call.signal);
    call.respond({ response: response ?? {} });
  } catch (error) {
    call.respond({ error: serializeError(error) });
  }
}

/** One call as the sandboxer sees it; unary calls use no more of it than the signal. */
class ServerCall implements ServerStream {
  readonly #connection: Connection;
  readonly #id: number;
  readonly #abort = new AbortController();
  #listener: ((kind: StreamKind, offset: number, bytes: Buffer) => void) | undefined;
  #waiting: StreamFrame[] = [];
  #waitingBytes = 0;
  readonly closed: Promise<void>;

  constructor(connection: Connection, id: number) {
    this.#connection = connection;
    this.#id = id;
    this.closed = new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  send(kind: StreamKind, offset: number, bytes?: Uint8Array): void {
    this.#connection.send(wrapData(this.#id, encodeStreamFrames(kind, offset, bytes)));
  }

  drained(): Promise<void> {
    return this.#connection.drained();
  }

  onFrame(listener: (kind: StreamKind, offset: number, bytes: Buffer) => void): void {
    this.#listener = listener;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { kind, offset, bytes } of waiting) listener(kind, offset, bytes);
  }

  /** Takes a data frame; throws when the client sends more than it may. */
  receive(frame: Frame): void {
    if ((frame.flags & CANCEL_FLAGS) === CANCEL_FLAGS) {
      this.abort();
      return;
    }
    const streamFrame = decodeStreamFrame(frame.payload);
    if (this.#listener !== undefined) {
      this.#listener(streamFrame.kind, streamFrame.offset, streamFrame.bytes);
      return;
    }
    this.#waiting.push(streamFrame);
    this.#waitingBytes += streamFrame.bytes.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES || this.#waiting.length > MAX_WAITING_FRAMES) {
      throw new FrameError(`a client sent ${this.#waitingBytes} bytes beyond its window`);
    }
  }

  respond(message: { response: unknown } | { error: unknown }): void {
    try {
      this.#connection.send([encodeMessage({ streamId: this.#id, kind: 'response' }, message)]);
    } catch (error) {
      // Too long for a frame: the client must still get an answer.
      this.#connection.send([
        encodeMessage({ streamId: this.#id, kind: 'response' }, { error: serializeError(error) }),
      ]);
    }
  }

  abort(): void {
    this.#abort.abort();
  }
}
