import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../support/run.ts';
import { bundleEntry, writeCode, writeLoader } from './bundle.ts';
import { withQuietSandboxer } from './quiet-sandboxer.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const PAGE = path.join(import.meta.dirname, 'quick-modules.txt');

/** Commands, by what they are called in the list. */
const COMMANDS = {
  'wardian --version': ['--version'],
  'wardian run': ['run', '--rm', 'image', 'true'],
};

const INTRODUCTION = `What the quick commands load. Each module costs every start, so this list is to stay short; a test compares it.
Made by: node --import tsx scripts/setup/quick-modules.ts
`;

/** Prints the modules of Node that were loaded in the end. */
const PROBE = `'use strict';
process.on('exit', () => {
  const names = process.moduleLoadList.filter((name) => name.startsWith('NativeModule '));
  require('node:fs').writeFileSync(process.env.WARDIAN_PROBE, JSON.stringify(names));
});
`;

/** The list: files in the bundle, and Node's own modules beyond those that an empty program has. */
export async function listQuickModules(): Promise<string> {
  const { code, inputs } = await bundleEntry(path.join(ROOT, 'src/cli/quick-main.ts'));
  const files = inputs.map((file) => path.relative(ROOT, path.resolve(file))).sort();
  return await withQuietSandboxer(async (environment, folder) => {
    const program = path.join(folder, 'quick.cjs');
    const empty = path.join(folder, 'empty.cjs');
    writeCode(folder, 'quick', code);
    writeLoader(folder, 'quick');
    writeFileSync(empty, '');
    writeFileSync(path.join(folder, 'probe.cjs'), PROBE);
    const load = (argv: readonly string[]) => findLoaded(argv, { environment, folder });
    const always = new Set(await load([empty]));
    const sections = [formatSection('The bundle', files)];
    for (const [title, words] of Object.entries(COMMANDS)) {
      const loaded = await load([program, ...words]);
      const added = loaded.filter((name) => !always.has(name)).sort();
      sections.push(formatSection(`Node's modules, for ${title}`, added));
    }
    return `${INTRODUCTION}${sections.join('')}`;
  });
}

/** The list as it is in the checkout. */
export function readQuickModules(): string {
  return readFileSync(PAGE, 'utf8');
}

async function findLoaded(
  argv: readonly string[],
  { environment, folder }: { environment: NodeJS.ProcessEnv; folder: string },
): Promise<string[]> {
  const answer = path.join(folder, 'answer.json');
  await run([process.execPath, '--require', path.join(folder, 'probe.cjs'), '--', ...argv], {
    environment: { ...environment, WARDIAN_PROBE: answer },
  });
  const names = JSON.parse(readFileSync(answer, 'utf8')) as string[];
  return names.map((name) => name.replace('NativeModule ', ''));
}

function formatSection(title: string, names: readonly string[]): string {
  return `\n${title} (${names.length}):\n${names.map((name) => `  ${name}\n`).join('')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(PAGE, await listQuickModules());
}
