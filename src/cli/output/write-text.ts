import type { Writable } from 'node:stream';

/** Writes, and resolves when it has left this process; rejects with EPIPE when nobody reads. */
export async function writeText(stream: Writable, text: string): Promise<void> {
  if (text === '') return;
  await new Promise<void>((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** A value as JSON that people can read, as every `--json` prints it. */
export async function writeJson(stream: Writable, value: unknown): Promise<void> {
  await writeText(stream, `${JSON.stringify(value, undefined, 2)}\n`);
}
