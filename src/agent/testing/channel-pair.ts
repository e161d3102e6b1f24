import { Duplex } from 'node:stream';

/** Two ends of a byte channel in memory, with back-pressure and gathered writes, like a socket's. */
export function createChannelPair(): [Duplex, Duplex] {
  const first = new ChannelEnd();
  const second = new ChannelEnd();
  first.peer = second;
  second.peer = first;
  return [first, second];
}

class ChannelEnd extends Duplex {
  peer: ChannelEnd | undefined;
  #waiting: (() => void) | undefined;

  override _read(): void {
    const resume = this.peer?.takeWaiting();
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#deliver([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#deliver([Buffer.concat(chunks.map(({ chunk }) => chunk))], done);
  }

  override _final(done: () => void): void {
    this.peer?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { peer } = this;
    // As a socket does: the other end sees the hang-up after what was sent.
    if (peer !== undefined && !peer.destroyed) setImmediate(() => peer.push(null));
    done(error);
  }

  takeWaiting(): (() => void) | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #deliver(chunks: Buffer[], done: (error?: Error) => void): void {
    const { peer } = this;
    setImmediate(() => {
      if (peer === undefined || peer.destroyed || peer.readableEnded) {
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
        return;
      }
      const flowing = chunks.map((chunk) => peer.push(chunk)).every(Boolean);
      if (flowing) done();
      else this.#waiting = done;
    });
  }
}
