import type { AttachRequest, ExitReport } from '../../src/sandboxer/api.ts';
import { STREAM_KIND, STREAM_WINDOW_BYTES } from '../../src/sandboxer/api.ts';
import type { ServerStream } from '../../src/sandboxer/connection/server-connection.ts';
import type { WardianError } from '../../src/util/errors.ts';

const CHUNK_BYTES = 48 * 1024;

/**
 * A process in a guest that nobody has: what it writes is kept until it is acknowledged, as an agent does, so that it
 * can be attached to again at any offset that was not. It outlives the connections.
 */
export class FakeProcess {
  readonly output = { stdout: new KeptOutput(), stderr: new KeptOutput() };
  /** What came on stdin, each byte once. */
  stdin = Buffer.alloc(0);
  stdinEnded = false;
  readonly signals: number[] = [];
  /** Called when something has come in. */
  onChange: () => void = () => {};
  /** How far stdin is read; the rest is not acknowledged. */
  readsUpTo = Number.POSITIVE_INFINITY;
  /** Bytes beyond an acknowledgement that were under way at most. */
  mostOutstanding = 0;
  refusal: WardianError | undefined;
  #stream: ServerStream | undefined;
  #resolveExit: (report: ExitReport) => void = () => {};
  readonly #exited = new Promise<ExitReport>((resolve) => {
    this.#resolveExit = resolve;
  });
  #report: ExitReport | undefined;
  #acknowledgedStdin = 0;

  write(name: 'stdout' | 'stderr', bytes: Buffer | string): void {
    this.output[name].push(Buffer.from(bytes));
    this.#send();
  }

  exit(exitCode: number, more: Partial<ExitReport> = {}): void {
    this.#report = { exitCode, signal: 0, outOfMemory: false, ...more };
    this.#send();
  }

  signal(signal: number): void {
    this.signals.push(signal);
    this.onChange();
  }

  async attach(request: AttachRequest, stream: ServerStream): Promise<ExitReport> {
    if (this.refusal !== undefined) throw this.refusal;
    const { from } = request;
    for (const name of ['stdout', 'stderr'] as const) {
      this.output[name].goTo(typeof from === 'object' ? from[name] : this.output[name].oldest);
    }
    this.#stream = stream;
    stream.onFrame((kind, offset, bytes) => this.#receive(kind, offset, bytes));
    if (this.#acknowledgedStdin > 0) this.#acknowledge();
    this.#send();
    return Promise.race([
      this.#exited,
      stream.closed.then(() => Promise.reject(new Error('lost'))),
    ]);
  }

  /** Reads on: what waits is taken and acknowledged. */
  read(upTo = Number.POSITIVE_INFINITY): void {
    this.readsUpTo = upTo;
    this.#acknowledge();
  }

  /** It has closed its stdin: nobody will ever want what comes. */
  closeStdin(): void {
    this.#stream?.send(STREAM_KIND.stdinAcknowledged, Number.MAX_SAFE_INTEGER);
  }

  #receive(kind: number, offset: number, bytes: Buffer): void {
    if (kind === STREAM_KIND.stdoutAcknowledged) this.output.stdout.acknowledge(offset);
    else if (kind === STREAM_KIND.stderrAcknowledged) this.output.stderr.acknowledge(offset);
    else if (kind === STREAM_KIND.stdin) this.#takeStdin(offset, bytes);
    else if (kind === STREAM_KIND.stdinEof) {
      if (offset !== this.stdin.length) throw new Error(`stdin ends at ${offset}`);
      this.stdinEnded = true;
    }
    this.onChange();
    this.#send();
  }

  #takeStdin(offset: number, bytes: Buffer): void {
    if (offset > this.stdin.length) throw new Error(`stdin is missing before ${offset}`);
    const fresh = bytes.subarray(this.stdin.length - offset);
    this.stdin = Buffer.concat([this.stdin, fresh]);
    this.mostOutstanding = Math.max(
      this.mostOutstanding,
      this.stdin.length - this.#acknowledgedStdin,
    );
    this.#acknowledge();
  }

  #acknowledge(): void {
    this.#acknowledgedStdin = Math.min(this.stdin.length, this.readsUpTo);
    this.#stream?.send(STREAM_KIND.stdinAcknowledged, this.#acknowledgedStdin);
  }

  #send(): void {
    const stream = this.#stream;
    if (stream === undefined || stream.signal.aborted) return;
    for (const name of ['stdout', 'stderr'] as const) {
      this.output[name].send((offset, bytes) => stream.send(STREAM_KIND[name], offset, bytes));
    }
    const isSent = this.output.stdout.isSent && this.output.stderr.isSent;
    if (this.#report !== undefined && isSent) this.#resolveExit(this.#report);
  }
}

/** What a process wrote: kept from the last acknowledgement on. */
class KeptOutput {
  #bytes = Buffer.alloc(0);
  #sent = 0;
  oldest = 0;

  get isSent(): boolean {
    return this.#sent === this.oldest + this.#bytes.length;
  }

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  goTo(offset: number): void {
    if (offset < this.oldest) throw new Error(`${offset} was acknowledged up to ${this.oldest}`);
    this.#sent = offset;
    this.acknowledge(offset); // whoever asks for it has what is before
  }

  acknowledge(offset: number): void {
    if (offset > this.#sent) throw new Error(`${offset} was never sent`);
    if (offset <= this.oldest) return;
    this.#bytes = this.#bytes.subarray(offset - this.oldest);
    this.oldest = offset;
  }

  /** At most the window beyond what was acknowledged. */
  send(write: (offset: number, bytes: Buffer) => void): void {
    while (!this.isSent && this.#sent - this.oldest < STREAM_WINDOW_BYTES) {
      const begin = this.#sent - this.oldest;
      const end = Math.min(begin + CHUNK_BYTES, STREAM_WINDOW_BYTES);
      const part = this.#bytes.subarray(begin, end);
      write(this.#sent, part);
      this.#sent += part.length;
    }
  }
}
