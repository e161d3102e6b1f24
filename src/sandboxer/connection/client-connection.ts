import type { Duplex } from 'node:stream';
import { deserializeError, type SerializedError, WardianError } from '../../util/errors.ts';
import { FRAME_FLAG, FRAME_TYPE, type Frame, FrameError } from '../../util/ttrpc/frame.ts';
import type { StreamKind } from '../api.ts';
import { CANCEL_FLAGS, Connection, decodeMessage, encodeMessage, wrapData } from './connection.ts';
import { decodeStreamFrame, encodeStreamFrames } from './stream-frame.ts';

export type FrameListener = (kind: StreamKind, offset: number, bytes: Buffer) => void;

/** The client's end of a stream call. */
export interface ClientStream<Response> {
  /** Sends a frame, cut where it is long; dropped when the sandboxer is gone. */
  send(kind: StreamKind, offset: number, bytes?: Uint8Array): void;
  /** Fulfilled when the socket takes more, or is closed. */
  drained(): Promise<void>;
  /** Tells the sandboxer that nobody waits for this stream any more; `done` is then rejected as CANCELLED. */
  cancel(): void;
  /** How the stream ended; rejected with the sandboxer's error, or SANDBOXER_UNREACHABLE when it went away. */
  readonly done: Promise<Response>;
}

interface PendingCall {
  resolve(response: unknown): void;
  reject(error: WardianError): void;
  onFrame?: FrameListener;
}

/** Largest stream id that ttrpc's header holds, kept odd. */
const MAX_STREAM_ID = 0xffff_ffff;

/** Makes calls over a socket; knows nothing of what they mean. */
export class ClientConnection {
  readonly #connection: Connection;
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 1;

  constructor(socket: Duplex) {
    this.#connection = new Connection(socket, (frame) => this.#receive(frame));
    void this.#connection.closed.then(() => this.#rejectAll());
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** Fulfilled when the connection is gone, for whatever reason. */
  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  call(method: string, request: unknown, signal?: AbortSignal): Promise<unknown> {
    return this.#start(method, request, { flags: 0, ...(signal && { signal }) }).done;
  }

  openStream(
    method: string,
    request: unknown,
    onFrame: FrameListener,
    signal?: AbortSignal,
  ): ClientStream<unknown> {
    const flags = FRAME_FLAG.remoteOpen;
    return this.#start(method, request, { flags, onFrame, ...(signal && { signal }) });
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(): void {
    this.#connection.close();
  }

  #start(
    method: string,
    request: unknown,
    options: { flags: number; onFrame?: FrameListener; signal?: AbortSignal },
  ): ClientStream<unknown> {
    const { flags, onFrame, signal } = options;
    const id = this.#nextId;
    const cancel = (): void => this.#cancel(id);
    const done = new Promise<unknown>((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled());
      if (!this.isOpen || id > MAX_STREAM_ID) return reject(lost());
      const frame = encodeMessage({ streamId: id, kind: 'request', flags }, { method, request });
      this.#connection.send([frame]);
      this.#nextId = id + 2;
      this.#pending.set(id, { resolve, reject, ...(onFrame && { onFrame }) });
      signal?.addEventListener('abort', cancel, { once: true });
    });
    const settled = (): void => signal?.removeEventListener('abort', cancel);
    done.then(settled, settled); // Also keeps a stream that nobody awaits from being an unhandled rejection.
    return {
      send: (kind, offset, bytes) => {
        if (!this.#pending.has(id)) return;
        this.#connection.send(wrapData(id, encodeStreamFrames(kind, offset, bytes)));
      },
      drained: () => this.#connection.drained(),
      cancel,
      done,
    };
  }

  #cancel(id: number): void {
    const call = this.#pending.get(id);
    if (call === undefined) return;
    this.#pending.delete(id);
    const payload = new Uint8Array();
    this.#connection.send([{ streamId: id, type: FRAME_TYPE.data, flags: CANCEL_FLAGS, payload }]);
    call.reject(cancelled());
  }

  #receive(frame: Frame): void {
    const call = this.#pending.get(frame.streamId);
    if (frame.type === FRAME_TYPE.request) throw new FrameError('the sandboxer sent a request');
    if (call === undefined) return; // It was cancelled; the sandboxer did not know that yet.
    if (frame.type === FRAME_TYPE.data) {
      const { kind, offset, bytes } = decodeStreamFrame(frame.payload);
      if (call.onFrame === undefined) throw new FrameError('a plain call got a stream frame');
      call.onFrame(kind, offset, bytes);
      return;
    }
    const message = decodeMessage(frame);
    this.#pending.delete(frame.streamId);
    if ('error' in message) call.reject(deserializeError(message['error'] as SerializedError));
    else call.resolve(message['response']);
  }

  #rejectAll(): void {
    const error = lost(this.#connection.failure);
    for (const call of this.#pending.values()) call.reject(error);
    this.#pending.clear();
  }
}

function cancelled(): WardianError {
  return new WardianError('CANCELLED', 'the call was cancelled');
}

function lost(cause?: Error): WardianError {
  return new WardianError('SANDBOXER_UNREACHABLE', 'the sandboxer went away', {
    cause,
    hint: 'containers go on without it: run the command again',
  });
}
