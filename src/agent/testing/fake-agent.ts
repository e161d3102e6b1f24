import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { decodeMessage, encodeMessage } from '../../util/protobuf.ts';
import {
  encodeFrame,
  FRAME_FLAG,
  FRAME_TYPE,
  type Frame,
  FrameReader,
} from '../../util/ttrpc/frame.ts';
import { RequestSchema, ResponseSchema } from '../../util/ttrpc/generated/ttrpc_pb.ts';
import { METHODS, type UnaryMethod } from '../calls.ts';
import {
  ExitStatusSchema,
  type StdioRequest,
  StdioRequestSchema,
  StdioResponseSchema,
} from '../generated/agent_pb.ts';
import { encodeOffer, MarkerScanner, PROTOCOL_VERSION } from '../handshake.ts';

type Answers = {
  [M in UnaryMethod]?: (
    request: MessageShape<(typeof METHODS)[M]['input']>,
  ) => MessageInitShape<(typeof METHODS)[M]['output']> | FakeStatus;
};

/** Makes a call fail: return one from an answer. */
export class FakeStatus {
  readonly code: number;
  readonly message: string;

  constructor(code: number, message: string) {
    this.code = code;
    this.message = message;
  }
}

/** A stream call as the fake agent's owner sees it. */
export interface FakeStdio {
  request: StdioRequest;
  streamId: number;
  /** Called with the payload of each data frame. */
  onInput: (payload: Buffer) => void;
  /** Sends the payload of a StdioOutput. */
  send(payload: Uint8Array): void;
  exit(status: MessageInitShape<typeof ExitStatusSchema>): void;
}

export interface FakeAgentOptions {
  answers?: Answers;
  /** Decides what a stream call does; absent: it ends at once with exit code 0. */
  onStdio?: (stdio: FakeStdio) => void;
  nonce?: Buffer;
  version?: number;
  /** False: keeps silent until told to offer. */
  offers?: boolean;
}

/** An agent for tests: keeps the protocol's rules, answers what it is told to, and an empty message to the rest. */
export class FakeAgent {
  /** Names of the calls that came, in order. */
  readonly calls: string[] = [];
  /** Bytes of each chunk that came: one per write of the host. */
  readonly chunkBytes: number[] = [];
  readonly #channel: Duplex;
  readonly #options: FakeAgentOptions;
  readonly #streams = new Map<number, FakeStdio>();
  #nonce: Buffer;
  #scanner: MarkerScanner | undefined = new MarkerScanner('accept');
  #reader = new FrameReader();

  constructor(channel: Duplex, options: FakeAgentOptions = {}) {
    this.#channel = channel;
    this.#options = options;
    this.#nonce = options.nonce ?? randomBytes(16);
    channel.on('data', (chunk: Buffer) => this.#receive(chunk));
    channel.on('error', () => {}); // the host hung up, which many tests are about
    if (options.offers !== false) this.offer();
  }

  get inSession(): boolean {
    return this.#scanner === undefined;
  }

  /** Sends the present offer. */
  offer(): void {
    this.send(
      encodeOffer({ version: this.#options.version ?? PROTOCOL_VERSION, nonce: this.#nonce }),
    );
  }

  /** Forgets the session and waits for a new one. */
  restart(nonce: Buffer = randomBytes(16)): void {
    this.#nonce = nonce;
    this.#scanner = new MarkerScanner('accept');
    this.#reader = new FrameReader();
    this.#streams.clear();
    this.offer();
  }

  /** Sends bytes as they are. */
  send(bytes: Uint8Array): void {
    this.#channel.write(bytes);
  }

  sendFrame(frame: Frame): void {
    this.#channel.cork();
    for (const buffer of encodeFrame(frame)) this.#channel.write(buffer);
    process.nextTick(() => this.#channel.uncork());
  }

  hangUp(): void {
    this.#channel.destroy();
  }

  #receive(chunk: Buffer): void {
    this.chunkBytes.push(chunk.length);
    if (this.#scanner === undefined) {
      this.#readFrames(chunk);
      return;
    }
    const found = this.#scanner.push(chunk);
    if (found === undefined || !found.marker.nonce.equals(this.#nonce)) return;
    this.#scanner = undefined;
    this.#readFrames(found.rest);
  }

  #readFrames(chunk: Buffer): void {
    for (const frame of this.#reader.push(chunk)) {
      if (frame.type === FRAME_TYPE.request) this.#handleRequest(frame);
      else this.#streams.get(frame.streamId)?.onInput(frame.payload as Buffer);
    }
  }

  #handleRequest({ streamId, payload, flags }: Frame): void {
    const request = decodeMessage(RequestSchema, payload);
    this.calls.push(request.method);
    if ((flags & FRAME_FLAG.remoteOpen) !== 0) this.#openStdio(streamId, request.payload);
    else this.#answer(streamId, request.method, request.payload);
  }

  #answer(streamId: number, methodName: string, payload: Uint8Array): void {
    const name = (methodName.charAt(0).toLowerCase() + methodName.slice(1)) as UnaryMethod;
    const { input, output }: { input: DescMessage; output: DescMessage } = METHODS[name];
    const answer = this.#options.answers?.[name] as
      | ((request: unknown) => Record<string, unknown> | FakeStatus)
      | undefined;
    const response = answer?.(decodeMessage(input, payload)) ?? {};
    if (response instanceof FakeStatus) {
      const { code, message } = response;
      this.#respond(streamId, encodeMessage(ResponseSchema, { status: { code, message } }));
    } else {
      const encoded = encodeMessage(output, response);
      this.#respond(streamId, encodeMessage(ResponseSchema, { payload: encoded }));
    }
  }

  #openStdio(streamId: number, payload: Uint8Array): void {
    const stdio: FakeStdio = {
      request: decodeMessage(StdioRequestSchema, payload),
      streamId,
      onInput: () => {},
      send: (bytes) =>
        this.sendFrame({ streamId, type: FRAME_TYPE.data, flags: 0, payload: bytes }),
      exit: (exit) => {
        this.#streams.delete(streamId);
        const response = encodeMessage(StdioResponseSchema, {
          exit: create(ExitStatusSchema, exit),
        });
        this.#respond(streamId, encodeMessage(ResponseSchema, { payload: response }));
      },
    };
    this.#streams.set(streamId, stdio);
    if (this.#options.onStdio === undefined) stdio.exit({ code: 0 });
    else this.#options.onStdio(stdio);
  }

  #respond(streamId: number, payload: Uint8Array): void {
    this.sendFrame({ streamId, type: FRAME_TYPE.response, flags: 0, payload });
  }
}
