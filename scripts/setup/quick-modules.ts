import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../support/run.ts';
import { bundleEntry, writeCode, writeLoader } from './bundle.ts';
import { withQuietSandboxer } from './quiet-sandboxer.ts';
import { RUNTIME_WARMING } from './warmings.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const PAGE = path.join(import.meta.dirname, 'quick-modules.txt');

/** Commands of the quick bundle, by what they are called in the list. */
const COMMANDS = {
  'wardian --version': ['--version'],
  'wardian run': ['run', '--rm', 'image', 'true'],
};

/** Commands of the runtime, of which an engine waits for three or four with each container. */
const RUNTIME_COMMANDS = {
  'wardian-runtime state': ['--root', 'root', 'state', 'created'],
  'wardian-runtime start': ['--root', 'root', 'start', 'created'],
  'wardian-runtime delete': ['--root', 'root', 'delete', 'stopped'],
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
  const runtime = await bundleEntry(path.join(ROOT, 'src/oci-runtime/main.ts'));
  const files = inputs.map((file) => path.relative(ROOT, path.resolve(file))).sort();
  return await withQuietSandboxer(async (environment, folder) => {
    const programs = { quick: code, runtime: runtime.code };
    for (const [name, text] of Object.entries(programs)) {
      writeCode(folder, name, text);
      writeLoader(folder, name);
    }
    const empty = path.join(folder, 'empty.cjs');
    writeFileSync(empty, '');
    writeFileSync(path.join(folder, 'probe.cjs'), PROBE);
    RUNTIME_WARMING.prepare?.(folder);
    const load = (argv: readonly string[]) => findLoaded(argv, { environment, folder });
    const always = new Set(await load([empty]));
    const sections = [formatSection('The bundle', files)];
    const addCommands = async (name: string, commands: Readonly<Record<string, string[]>>) => {
      for (const [title, words] of Object.entries(commands)) {
        const loaded = await load([path.join(folder, `${name}.cjs`), ...words]);
        const added = loaded.filter((module) => !always.has(module)).sort();
        sections.push(formatSection(`Node's modules, for ${title}`, added));
      }
    };
    await addCommands('quick', COMMANDS);
    await addCommands('runtime', RUNTIME_COMMANDS);
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
    directory: folder,
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
