import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { replaceFile } from '../support/replace-file.ts';
import { run } from '../support/run.ts';
import { withQuietSandboxer } from './quiet-sandboxer.ts';

/** Commands whose functions are worth having in the cache. */
export interface Warming {
  readonly commands: readonly (readonly string[])[];
  /** Makes what they find; the folder is also that of the programs beside the bundle. */
  prepare?(folder: string): void;
}

/** Each takes a tenth of a second. */
const TIMEOUT_MS = 60_000;

/** Runs a bundle's code and writes the cache anew in the end, when V8 has compiled the functions that were called. */
const WARMER = `'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');
const { WARDIAN_WARM_CODE: filename, WARDIAN_WARM_CACHE: cachePath } = process.env;
const cachedData = readFileSync(cachePath);
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
process.on('exit', () => writeFileSync(cachePath, script.createCachedData()));
script.runInThisContext()(exports, require, module, filename, __dirname);
`;

/** Puts into a bundle's cache, beside what every start runs, the functions that some commands call. */
export async function warmBundle(
  directory: string,
  name: string,
  { commands, prepare }: Warming,
): Promise<void> {
  const cachePath = path.join(directory, `${name}.code.cache`);
  await withQuietSandboxer(async (environment, folder) => {
    const warmer = path.join(folder, 'warmer.cjs');
    const warmed = path.join(folder, 'cache');
    writeFileSync(warmer, WARMER);
    copyFileSync(cachePath, warmed);
    prepare?.(folder);
    for (const command of commands) {
      await run([process.execPath, '--', warmer, ...command], {
        directory: folder,
        environment: {
          ...environment,
          WARDIAN_WARM_CODE: path.join(directory, `${name}.code.js`),
          WARDIAN_WARM_CACHE: warmed,
        },
        timeoutMs: TIMEOUT_MS,
      });
    }
    replaceFile(cachePath, readFileSync(warmed));
  });
}
