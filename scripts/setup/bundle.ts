import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Script } from 'node:vm';
import { build } from 'esbuild';

/** Entry points, by the name of their bundle in dist/. */
const ENTRIES = { wardian: 'src/cli/main.ts', sandboxer: 'src/sandboxer/main.ts' };

/**
 * Bundles each entry point: what a command costs before it does anything is mostly the loading of JavaScript.
 * In dist/ there are, of each, `<name>.code.js`, all of it in one piece; `<name>.code.cache`, what V8 made of
 * that; and `<name>.cjs`, which puts the two together.
 */
export async function bundle(root: string): Promise<void> {
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const { code } = await bundleEntry(path.join(root, entry));
    writeBundle(path.join(root, 'dist'), name, code);
  }
}

export interface Bundled {
  readonly code: string;
  /** The files that something of went into the code. */
  readonly inputs: readonly string[];
}

/** Makes one piece of code of an entry point and all that it imports. */
export async function bundleEntry(entry: string): Promise<Bundled> {
  const result = await build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    // Commands are imported when they are called for; in one file that becomes a function call.
    supported: { 'dynamic-import': false },
    // Names stay, so that a stack trace can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'silent',
    metafile: true,
  });
  const [output] = Object.values(result.metafile.outputs);
  const inputs = Object.entries(output?.inputs ?? {}).filter(
    ([, { bytesInOutput }]) => bytesInOutput > 0,
  );
  return { code: result.outputFiles[0]?.text ?? '', inputs: inputs.map(([file]) => file) };
}

/** Writes the three files of a bundle; the loader last, since it is what others look for. */
export function writeBundle(directory: string, name: string, code: string): void {
  const codePath = path.join(directory, `${name}.code.js`);
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${code}\n})`;
  const cache = new Script(wrapped, { filename: codePath }).createCachedData();
  replaceFile(codePath, wrapped);
  replaceFile(path.join(directory, `${name}.code.cache`), cache);
  replaceFile(path.join(directory, `${name}.cjs`), makeLoader(name));
}

/** Loads the code as Node loads a CommonJS file, but with V8's cache, which saves parsing; V8 refuses what is not its own. */
function makeLoader(name: string): string {
  return `'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const filename = \`\${__dirname}/${name}.code.js\`;
const cachedData = readFileSync(\`\${__dirname}/${name}.code.cache\`);
const script = new Script(readFileSync(filename, 'utf8'), { filename, cachedData });
script.runInThisContext()(exports, require, module, filename, __dirname);
`;
}

function replaceFile(target: string, content: string | Buffer): void {
  const temporary = `${target}.${process.pid}`;
  writeFileSync(temporary, content);
  renameSync(temporary, target);
}
