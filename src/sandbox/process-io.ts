import type { AgentClient } from '../agent/agent-client.ts';
import type { ContainerLog } from './container-log.ts';
import { createHoldSink, type OutputSink, OutputStream } from './output-stream.ts';
import type { ExitReport } from './sandbox-state.ts';
import { StdinRelay } from './stdin-relay.ts';

/** Which process of which container; an empty execId is the container's own. */
export interface ProcessReference {
  readonly containerId: string;
  readonly execId: string;
}

/** Offsets from which a process's streams go on: all zero for a new one. */
export interface StreamOffsets {
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

export const STREAM_START: StreamOffsets = { stdin: 0, stdout: 0, stderr: 0 };

/** Standard streams and end of one process, whichever client or log is interested at the moment. */
export class ProcessIo {
  readonly reference: ProcessReference;
  readonly stdin: StdinRelay;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Settles when the process is over and all its output is here. Never rejects. */
  readonly exited: Promise<ExitReport>;
  /** Settles when the owner that output waited for is here, or is not waited for any more. */
  readonly claimed: Promise<void>;
  /** Settles when the owner has all output of a process that is over, or will not come for it. */
  readonly taken: Promise<void>;
  #claim!: () => void;
  #take!: () => void;
  #acknowledge: (stream: 'stdout' | 'stderr', offset: number) => void = () => {};
  #finish!: (report: ExitReport) => void;
  #holds: { stream: OutputStream; sink: OutputSink }[] = [];

  constructor(reference: ProcessReference, offsets: StreamOffsets) {
    this.reference = reference;
    this.stdin = new StdinRelay(offsets.stdin);
    this.stdout = new OutputStream(offsets.stdout, (offset) => this.#acknowledge('stdout', offset));
    this.stderr = new OutputStream(offsets.stderr, (offset) => this.#acknowledge('stderr', offset));
    this.exited = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.claimed = new Promise((resolve) => {
      this.#claim = resolve;
    });
    this.taken = new Promise((resolve) => {
      this.#take = resolve;
    });
  }

  /** Keeps all output for an owner that is going to attach: from here on, or from where it had come to. */
  holdForOwner(from?: { stdout: number; stderr: number }): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = this[name];
      const position = from?.[name] ?? stream.received;
      const sink = createHoldSink(position);
      this.#holds.push({ stream, sink });
      stream.addSink(sink, position);
    }
  }

  /** The owner has everything, or has gone for good. */
  markTaken(): void {
    this.#take();
  }

  /** The owner has attached, or will not come. */
  releaseHold(): void {
    for (const { stream, sink } of this.#holds.splice(0)) stream.removeSink(sink);
    this.#claim();
  }

  /** Opens the streams at the agent, where they stand; again after the agent's session began anew. */
  connect(agent: AgentClient): void {
    const outputs = { stdout: this.stdout, stderr: this.stderr };
    const stream = agent.openStdio(
      {
        containerId: this.reference.containerId,
        execId: this.reference.execId,
        stdinOffset: this.stdin.acknowledged,
        stdoutOffset: this.stdout.received,
        stderrOffset: this.stderr.received,
      },
      {
        onOutput: (name, offset, bytes, eof) => outputs[name].push(offset, bytes, eof),
        onStdinAcknowledged: (offset) => this.stdin.onAcknowledged(offset),
        onStdinClosed: () => this.stdin.onClosed(),
      },
    );
    this.#acknowledge = (name, offset) => stream.acknowledge(name, offset);
    this.stdin.connect(stream);
    stream.exit.then(
      (exit) =>
        this.end({ exitCode: exit.code, signal: exit.signal, outOfMemory: exit.outOfMemory }),
      () => {}, // the session ended: its owner connects again or says that the sandbox died
    );
  }

  /** The process is over: reported by the agent, or by whoever saw the sandbox die. */
  end(report: ExitReport): void {
    this.#acknowledge = () => {};
    this.stdin.onClosed();
    this.stdout.end();
    this.stderr.end();
    this.#finish(report);
  }
}

/** Brings output to the log, and holds it for an owner that is expected. */
export function connectOutput(
  io: ProcessIo,
  log: ContainerLog | undefined,
  awaitsOwner: boolean,
): void {
  if (awaitsOwner) io.holdForOwner();
  if (log === undefined) return;
  for (const name of ['stdout', 'stderr'] as const) {
    io[name].addSink(log.createSink(name, io[name]), log.getPosition(name));
  }
}
