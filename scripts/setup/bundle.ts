import { renameSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

/** Entry points, by the name of their bundle in dist/. */
const ENTRIES = { wardian: 'src/cli/main.ts', sandboxer: 'src/sandboxer/main.ts' };

/**
 * Bundles each entry point into one file: what a command costs before it does anything is mostly the loading of
 * JavaScript. Whitespace and dead code go, names stay, so that a stack trace can be read.
 */
export async function bundle(root: string): Promise<void> {
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const target = path.join(root, 'dist', `${name}.cjs`);
    const temporary = `${target}.${process.pid}`;
    await build({
      entryPoints: [path.join(root, entry)],
      outfile: temporary,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
    });
    renameSync(temporary, target);
  }
}
