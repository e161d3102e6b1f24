import path from 'node:path';
import { Script } from 'node:vm';
import { build } from 'esbuild';
import { QUICK_WORDS } from '../../src/cli/quick-verbs.ts';
import { replaceFile } from '../support/replace-file.ts';
import { warmBundle } from './warm-bundle.ts';
import { QUICK_WARMING, RUNTIME_WARMING } from './warmings.ts';

/** The bundle of the commands that are waited for most. */
const QUICK = 'wardian-quick';

/** What engines start. */
const RUNTIME = 'runtime';

/** Entry points, by the name of their bundle in dist/. */
const ENTRIES = {
  wardian: 'src/cli/main.ts',
  [QUICK]: 'src/cli/quick-main.ts',
  sandboxer: 'src/sandboxer/main.ts',
  [RUNTIME]: 'src/oci-runtime/main.ts',
};

/**
 * Bundles each entry point: what a command costs before it does anything is mostly the loading of JavaScript.
 * In dist/ there are, of each, `<name>.code.js`, all of it in one piece, and `<name>.code.cache`, what V8 made of
 * that; `wardian.cjs` and `sandboxer.cjs` put the two together, and the former chooses the quick bundle when that will do.
 */
export async function bundle(root: string): Promise<void> {
  const directory = path.join(root, 'dist');
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const { code } = await bundleEntry(path.join(root, entry));
    writeCode(directory, name, code);
  }
  await warmBundle(directory, QUICK, QUICK_WARMING);
  await warmBundle(directory, RUNTIME, RUNTIME_WARMING);
  writeLoader(directory, 'sandboxer');
  writeLoader(directory, RUNTIME);
  writeLoader(directory, 'wardian', { name: QUICK, words: QUICK_WORDS });
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

/** Writes a bundle's code and the cache that V8 makes of it without running it. */
export function writeCode(directory: string, name: string, code: string): void {
  const codePath = path.join(directory, `${name}.code.js`);
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${code}\n})`;
  const cache = new Script(wrapped, { filename: codePath }).createCachedData();
  replaceFile(codePath, wrapped);
  replaceFile(path.join(directory, `${name}.code.cache`), cache);
}

/** A bundle that is loaded instead when the first word of the command line is one of these. */
export interface QuickBundle {
  readonly name: string;
  readonly words: readonly string[];
}

/** Writes what Node runs: it loads the code as Node loads a CommonJS file, but with V8's cache; V8 refuses what is not its own. */
export function writeLoader(directory: string, name: string, quick?: QuickBundle): void {
  const choice =
    quick === undefined
      ? `'${name}'`
      : `${JSON.stringify(quick.words)}.includes(process.argv[2]) ? '${quick.name}' : '${name}'`;
  const loader = `'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const name = ${choice};
const filename = \`\${__dirname}/\${name}.code.js\`;
const cachedData = readFileSync(\`\${__dirname}/\${name}.code.cache\`);
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
script.runInThisContext()(exports, require, module, filename, __dirname);
`;
  replaceFile(path.join(directory, `${name}.cjs`), loader);
}
