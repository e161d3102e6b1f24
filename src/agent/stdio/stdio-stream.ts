import { toWardianError, type WardianError } from '../../util/errors.ts';
import { decodeMessage, encodeMessage } from '../../util/protobuf.ts';
import { agentBreach } from '../failures.ts';
import { type ExitStatus, StdioRequestSchema, StdioResponseSchema } from '../generated/agent_pb.ts';
import type { AgentRpc } from '../rpc.ts';
import { InputSide } from './input-side.ts';
import { STDIO_FRAME_BYTES } from './limits.ts';
import { OutputSide } from './output-side.ts';
import { decodeStdioOutput, encodeStdioInputFrame, type StdioOutput } from './stdio-message.ts';

/** Ids are odd; what is done to this one is done to none. */
const NO_STREAM = 0;

/** Offsets are where a host that takes over goes on; all before them counts as acknowledged. */
export interface StdioOptions {
  containerId: string;
  /** Absent: the container's first process. */
  execId?: string;
  stdoutOffset?: number;
  stderrOffset?: number;
  stdinOffset?: number;
}

export type OutputName = 'stdout' | 'stderr';

export interface StdioHandlers {
  /** Bytes in order, without gaps or repeats; views of received memory. `eof`: the stream ends behind them. */
  onOutput(stream: OutputName, offset: number, bytes: Uint8Array, eof: boolean): void;
  onStdinAcknowledged(offset: number): void;
  /** The process reads no more; stdin that still comes is dropped. */
  onStdinClosed(): void;
}

/** The standard streams of one process, until it has ended. */
export interface StdioStream {
  /** Settles when the process has ended and its output has come. Rejects when the session ends before. */
  readonly exit: Promise<ExitStatus>;
  /**
   * Sends bytes of stdin, which must not change afterwards; those that were given before are passed over.
   * Returns false when the writer should wait for `drained()`.
   */
  writeStdin(bytes: Uint8Array, offset: number): boolean;
  /** Resolves when there is room for more stdin, or no more need of it. */
  drained(): Promise<void>;
  endStdin(offset: number): void;
  /** Says that output before `offset` has arrived for good; the guest may send as much again. */
  acknowledge(stream: OutputName, offset: number): void;
  /** Lets go of the streams on this side: nothing comes any more, and `exit` rejects. */
  close(): void;
}

export function openStdio(
  rpc: AgentRpc,
  options: StdioOptions,
  handlers: StdioHandlers,
): StdioStream {
  return new AgentStdio(rpc, options, handlers);
}

class AgentStdio implements StdioStream {
  readonly exit: Promise<ExitStatus>;
  readonly #rpc: AgentRpc;
  readonly #handlers: StdioHandlers;
  readonly #streamId: number;
  readonly #outputs: Record<OutputName, OutputSide>;
  readonly #stdin: InputSide;
  #over = false;
  #awaitsChannel = false;
  #flush: NodeJS.Immediate | undefined;
  #drainWaiters: (() => void)[] = [];
  #resolveExit: (exit: ExitStatus) => void = () => {};
  #rejectExit: (error: WardianError) => void = () => {};

  constructor(rpc: AgentRpc, options: StdioOptions, handlers: StdioHandlers) {
    this.#rpc = rpc;
    this.#handlers = handlers;
    this.#outputs = {
      stdout: new OutputSide('stdout', options.stdoutOffset ?? 0),
      stderr: new OutputSide('stderr', options.stderrOffset ?? 0),
    };
    this.#stdin = new InputSide(options.stdinOffset ?? 0);
    this.exit = new Promise((resolve, reject) => {
      this.#resolveExit = resolve;
      this.#rejectExit = reject;
    });
    this.exit.catch(() => {}); // whoever wants to know may look later
    this.#streamId = this.#open(options);
  }

  writeStdin(bytes: Uint8Array, offset: number): boolean {
    if (this.#over) return true;
    this.#stdin.write(bytes, offset);
    this.#pump();
    return this.#stdin.hasRoom;
  }

  drained(): Promise<void> {
    if (this.#over || this.#stdin.hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  endStdin(offset: number): void {
    if (this.#over) return;
    this.#stdin.end(offset);
    this.#pump();
  }

  acknowledge(stream: OutputName, offset: number): void {
    const output = this.#outputs[stream];
    output.acknowledge(offset);
    if (this.#over || output.unsentAcknowledgement === 0) return;
    // Small acknowledgements are gathered for a turn of the event loop; a guest with a full window is not kept waiting.
    if (output.unsentAcknowledgement >= STDIO_FRAME_BYTES) this.#sendAcknowledgements();
    else this.#flush ??= setImmediate(() => this.#sendAcknowledgements());
  }

  close(): void {
    this.#rpc.cancel(this.#streamId);
  }

  #open(options: StdioOptions): number {
    const { containerId, execId = '', stdoutOffset = 0, stderrOffset = 0 } = options;
    const payload = encodeMessage(StdioRequestSchema, {
      containerId,
      execId,
      stdoutOffset: BigInt(stdoutOffset),
      stderrOffset: BigInt(stderrOffset),
    });
    try {
      return this.#rpc.open('stdio', payload, {
        what: `relay the standard streams of container ${containerId}`,
        onData: (bytes) => this.#receive(decodeStdioOutput(bytes)),
        onResponse: (bytes) => this.#finish(bytes),
        onFailure: (error) => this.#fail(error),
      });
    } catch (error) {
      // The session has ended already: told like an end later on, for the caller may have other calls under way.
      this.#fail(toWardianError(error));
      return NO_STREAM;
    }
  }

  #fail(error: WardianError): void {
    this.#stop();
    this.#rejectExit(error);
  }

  #receive(output: StdioOutput): void {
    if (output.data.length > STDIO_FRAME_BYTES) {
      throw agentBreach(`the guest sent ${output.data.length} bytes of output in one frame`);
    }
    if (output.stdinAcknowledged !== undefined) this.#stdinAcknowledged(output.stdinAcknowledged);
    if (output.stdinClosed) this.#stdinClosed();
    if (output.stream === 1) this.#receiveOutput('stdout', output);
    else if (output.stream === 2) this.#receiveOutput('stderr', output);
    else if (output.stream !== 0 || output.data.length > 0 || output.eof) {
      throw agentBreach(`the guest sent output of an unknown stream ${output.stream}`);
    }
  }

  #receiveOutput(name: OutputName, output: StdioOutput): void {
    const offset = this.#outputs[name].received;
    const fresh = this.#outputs[name].receive(output);
    if (fresh !== undefined) this.#handlers.onOutput(name, offset, fresh, output.eof);
  }

  #stdinAcknowledged(offset: number): void {
    if (!this.#stdin.acknowledged(offset)) return;
    this.#handlers.onStdinAcknowledged(offset);
    this.#pump();
  }

  #stdinClosed(): void {
    if (!this.#stdin.drop()) return;
    this.#wakeDrainWaiters();
    this.#handlers.onStdinClosed();
  }

  /** Sends as much stdin as the window and the channel take. */
  #pump(): void {
    const { session } = this.#rpc;
    while (!this.#over && !session.congested) {
      const piece = this.#stdin.next();
      if (piece === undefined) break;
      session.send(
        encodeStdioInputFrame(this.#streamId, { ...piece, ...this.#takeAcknowledgements() }),
      );
    }
    if (!this.#over && session.congested) this.#pumpOnceDrained();
    if (this.#stdin.hasRoom) this.#wakeDrainWaiters();
  }

  #pumpOnceDrained(): void {
    if (this.#awaitsChannel) return;
    this.#awaitsChannel = true;
    this.#rpc.session.onceDrained(() => {
      this.#awaitsChannel = false;
      this.#pump();
    });
  }

  #sendAcknowledgements(): void {
    const acknowledgements = this.#takeAcknowledgements();
    const { stdoutAcknowledged, stderrAcknowledged } = acknowledgements;
    if (stdoutAcknowledged === undefined && stderrAcknowledged === undefined) return;
    const input = { data: new Uint8Array(0), offset: 0, eof: false, ...acknowledgements };
    this.#rpc.session.send(encodeStdioInputFrame(this.#streamId, input));
  }

  #takeAcknowledgements() {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    return {
      stdoutAcknowledged: this.#outputs.stdout.takeAcknowledgement(),
      stderrAcknowledged: this.#outputs.stderr.takeAcknowledgement(),
    };
  }

  #finish(response: Uint8Array): void {
    const { exit } = decodeMessage(StdioResponseSchema, response);
    if (exit === undefined) throw agentBreach('the guest ended a stream without an exit status');
    this.#stop();
    this.#resolveExit(exit);
  }

  #stop(): void {
    this.#over = true;
    clearImmediate(this.#flush);
    this.#stdin.drop();
    this.#wakeDrainWaiters();
  }

  #wakeDrainWaiters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const wake of waiters) wake();
  }
}
