import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BuildTree, BuiltFiles, Recipe } from '../../scripts/guest/recipe.ts';
import { configureOptions, FIRMWARE_DIRECTORY } from './configure-options.ts';

/** Raise it when the same options, devices and patches are to be built anew. */
const STEPS_VERSION = 1;
const PROGRAM = 'qemu-system-x86_64';
/** Source 0.3 GB, objects 0.2 GB. */
const DISK_BYTES = 0.8 * 2 ** 30;
/** Under this name configure is told of our devices. */
const DEVICES = 'configs/devices/x86_64-softmmu/wardian.mak';
/** What came of them: written by Kconfig, after everything that they select. */
const CHOSEN_DEVICES = 'x86_64-softmmu-config-devices.mak';

/** How the small QEMU is made of Debian's QEMU source. */
export function qemuRecipe(root: string): Recipe {
  const folder = path.join(root, 'guest/qemu');
  const devices = readFileSync(path.join(folder, 'devices.mak'), 'utf8');
  return {
    name: 'qemu',
    source: { package: 'qemu', kind: 'source' },
    patches: path.join(folder, 'patches'),
    // The base is another in every build, and leaves no trace in the result.
    ingredients: [`${STEPS_VERSION}`, JSON.stringify(configureOptions('')), devices],
    diskBytes: DISK_BYTES,
    build: async (tree) => {
      await configure(tree, devices);
      return compile(tree);
    },
  };
}

async function configure(tree: BuildTree, devices: string): Promise<void> {
  // Configuring again would make ninja compile everything again.
  const stamp = path.join(tree.work, 'configured');
  if (existsSync(stamp)) return;
  tree.report('configuration');
  writeFileSync(path.join(tree.source, DEVICES), devices);
  const script = path.relative(tree.work, path.join(tree.source, 'configure'));
  await tree.run([script, ...configureOptions(path.dirname(tree.work))], { directory: tree.work });
  const chosen = path.join(tree.work, CHOSEN_DEVICES);
  // A target's device choices are settled by meson, so a name that Kconfig does not know would go unnoticed.
  const unmet = findUnmetDevices(devices, readFileSync(chosen, 'utf8'));
  if (unmet.length > 0) throw new Error(`QEMU's configuration lacks ${unmet.join(', ')}`);
  writeFileSync(stamp, '');
}

async function compile(tree: BuildTree): Promise<BuiltFiles> {
  const onLine = (line: string) => {
    const step = describeNinjaStep(line);
    if (step !== undefined) tree.report(step);
  };
  await tree.run(['ninja', `-j${tree.jobs}`, PROGRAM], { directory: tree.work, onLine });
  const program = path.join(tree.output, PROGRAM);
  await tree.run(['strip', '-o', program, path.join(tree.work, PROGRAM)]);
  copyFileSync(path.join(tree.work, CHOSEN_DEVICES), path.join(tree.output, 'devices.mak'));
  return {
    files: { qemu: PROGRAM, devices: 'devices.mak' },
    facts: { version: await readVersion(tree, program), firmwareDirectory: FIRMWARE_DIRECTORY },
  };
}

/** First line of `--version`; that it says anything shows that the program runs here. */
async function readVersion(tree: BuildTree, program: string): Promise<string> {
  const lines: string[] = [];
  await tree.run([program, '--version'], { onLine: (line) => lines.push(line) });
  const version = lines.find((line) => line.startsWith('QEMU emulator version '));
  if (version === undefined) throw new Error(`${program} does not tell its version: ${lines[0]}`);
  return version;
}

/** Which of the choices in `wanted` (`CONFIG_X=y` or `=n`, a line each) did not come about. */
export function findUnmetDevices(wanted: string, chosen: string): string[] {
  const present = parseChoices(chosen);
  return [...parseChoices(wanted)]
    .filter(([name, value]) => (present.get(name) ?? 'n') !== value)
    .map(([name, value]) => `${name}=${value}`);
}

function parseChoices(text: string): Map<string, string> {
  const matches = text.matchAll(/^(?<name>CONFIG_\w+)=(?<value>[yn])$/gm);
  return new Map(
    [...matches].map(({ groups }) => [groups?.['name'] ?? '', groups?.['value'] ?? '']),
  );
}

/** "7 %  hw_virtio_virtio.c.o" of ninja's "[91/1290] Compiling C object libcommon.fa.p/hw_virtio_virtio.c.o". */
export function describeNinjaStep(line: string): string | undefined {
  const match = /^\[(?<done>\d+)\/(?<all>\d+)\] (?<what>.+)$/.exec(line);
  if (match?.groups === undefined) return undefined;
  const { done, all, what = '' } = match.groups;
  const percent = Math.floor((Number(done) * 100) / Math.max(1, Number(all)));
  return `${percent} %  ${what.split(' ').at(-1)?.split('/').at(-1)}`;
}
