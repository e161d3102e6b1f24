import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file so that whoever runs meanwhile reads the old or the new one whole. */
export function replaceFile(target: string, content: string | Uint8Array): void {
  const temporary = `${target}.${process.pid}`;
  writeFileSync(temporary, content);
  renameSync(temporary, target);
}
