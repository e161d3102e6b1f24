import type { WriteStream } from 'node:tty';

/** Says what a step is doing just now, a few words: "unpacking", "43 %". */
export type Report = (detail: string) => void;

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
/** Where lines cannot move, long work gives a sign of life so often. */
const PLAIN_DETAIL_MS = 20_000;

/**
 * Shows long work step by step: on a terminal one moving line a step, elsewhere a plain line when
 * a step begins, one when it ends, and now and then one between. Each step tells its time.
 */
export class Progress {
  readonly #stream: Pick<WriteStream, 'write' | 'isTTY' | 'columns'>;
  readonly #prefix: string;

  constructor(stream: Pick<WriteStream, 'write' | 'isTTY' | 'columns'>, prefix: string) {
    this.#stream = stream;
    this.#prefix = prefix;
  }

  note(text: string): void {
    this.#stream.write(`${this.#prefix}: ${text}\n`);
  }

  async step<T>(title: string, action: (report: Report) => Promise<T>): Promise<T> {
    return this.#stream.isTTY ? this.#moving(title, action) : this.#plain(title, action);
  }

  async #plain<T>(title: string, action: (report: Report) => Promise<T>): Promise<T> {
    const started = performance.now();
    this.#stream.write(`${this.#prefix}: ${title} ...\n`);
    let nextMs = started + PLAIN_DETAIL_MS;
    const result = await action((detail) => {
      if (detail === '' || performance.now() < nextMs) return;
      nextMs = performance.now() + PLAIN_DETAIL_MS;
      this.#stream.write(`${this.#prefix}: ${title}: ${detail}\n`);
    });
    this.#stream.write(`${this.#prefix}: ${title}: done in ${formatSeconds(started)}\n`);
    return result;
  }

  async #moving<T>(title: string, action: (report: Report) => Promise<T>): Promise<T> {
    const started = performance.now();
    let detail = '';
    let frame = 0;
    const draw = () => {
      const sign = FRAMES[frame++ % FRAMES.length];
      const text = `${sign} ${title}  ${formatSeconds(started)}${detail === '' ? '' : `  ${detail}`}`;
      this.#stream.write(`\r\x1b[K${cut(text, this.#stream.columns)}`);
    };
    const timer = setInterval(draw, FRAME_MS);
    draw();
    try {
      const result = await action((text) => (detail = text));
      this.#stream.write(`\r\x1b[K✓ ${title}  ${formatSeconds(started)}\n`);
      return result;
    } catch (error) {
      this.#stream.write(`\r\x1b[K✗ ${title}  ${formatSeconds(started)}\n`);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
}

function formatSeconds(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}

function cut(text: string, columns: number | undefined): string {
  return [...text].slice(0, Math.max(10, (columns ?? 80) - 1)).join('');
}
