import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { readJsonFile, writeFileAtomic } from '../host/files.ts';
import { loadGuestMemory } from '../host/launcher.ts';
import type { MachineConfig } from '../machine/machine-config.ts';
import { WardianError } from '../util/errors.ts';
import type { SizeClass } from './size-class.ts';
import type { Template } from './template.ts';

const FILES = { metadata: 'template.json', memory: 'memory', state: 'state' } as const;
const MAX_METADATA_BYTES = 16 * 1024;
const NONCE = /^[0-9a-f]{32}$/;

/** What is written beside a template's memory and state. */
export interface TemplateMetadata {
  readonly version: 1;
  readonly key: string;
  readonly generation: string;
  readonly size: SizeClass;
  readonly createdAtMs: number;
  readonly nonce: string;
  readonly stateSha256: string;
  readonly memoryChecksum: string;
  /** The machine it was made from. */
  readonly config: MachineConfig;
}

export function getStatePath(folder: string): string {
  return path.join(folder, FILES.state);
}

export function getMemoryPath(folder: string): string {
  return path.join(folder, FILES.memory);
}

/** Written last: a template without it does not exist. */
export async function writeMetadata(
  folder: string,
  metadata: Omit<TemplateMetadata, 'version' | 'stateSha256'>,
): Promise<void> {
  const stateSha256 = await hashFile(getStatePath(folder));
  const whole: TemplateMetadata = { version: 1, ...metadata, stateSha256 };
  await writeFileAtomic(path.join(folder, FILES.metadata), JSON.stringify(whole));
}

/** Reads a template's metadata; throws ENOENT when there is none, STATE_CORRUPT when it is damaged. */
export async function readMetadata(folder: string): Promise<TemplateMetadata> {
  const filePath = path.join(folder, FILES.metadata);
  const metadata = (await readJsonFile(filePath, MAX_METADATA_BYTES)) as Partial<TemplateMetadata>;
  const isValid =
    metadata?.version === 1 &&
    metadata.key === path.basename(folder) &&
    typeof metadata.generation === 'string' &&
    Number.isSafeInteger(metadata.size?.cpus) &&
    Number.isSafeInteger(metadata.size?.memoryBytes) &&
    Number.isSafeInteger(metadata.createdAtMs) &&
    NONCE.test(metadata.nonce ?? '') &&
    typeof metadata.stateSha256 === 'string' &&
    typeof metadata.memoryChecksum === 'string' &&
    Array.isArray(metadata.config?.devices);
  if (isValid) return metadata as TemplateMetadata;
  throw new WardianError('STATE_CORRUPT', `${filePath} does not describe a template`);
}

/** Loads a template into sealed memory; throws TEMPLATE_FAILED when it is not what was saved. */
export async function loadTemplate(folder: string, launcherPath: string): Promise<Template> {
  const metadata = await readMetadata(folder);
  const { size, key, config } = metadata;
  const statePath = getStatePath(folder);
  if ((await hashFile(statePath)) !== metadata.stateSha256) throw damaged(statePath);
  const memoryPath = getMemoryPath(folder);
  const { memory, checksum } = await loadGuestMemory(launcherPath, memoryPath, size.memoryBytes);
  if (checksum === metadata.memoryChecksum) {
    const nonce = Buffer.from(metadata.nonce, 'hex');
    return { key, size, nonce, ...(await holdSnapshot(config, memory, statePath)) };
  }
  await memory.close();
  throw damaged(memoryPath);
}

/** Keeps the device state open, so that whoever clones finds it by its descriptor. Closes the memory when it cannot. */
export async function holdSnapshot(
  config: MachineConfig,
  memory: FileHandle,
  statePath: string,
): Promise<Pick<Template, 'snapshot' | 'stateFile'>> {
  try {
    const stateFile = await open(statePath, 'r');
    const snapshot = { config, memory, statePath: `/proc/self/fd/${stateFile.fd}` };
    return { snapshot, stateFile };
  } catch (error) {
    await memory.close();
    throw error;
  }
}

/** Lets go of what a template holds. */
export async function closeTemplate({ snapshot, stateFile }: Template): Promise<void> {
  await Promise.all([snapshot.memory.close(), stateFile.close()]);
}

/** Bytes that a template really takes: most of its memory is a hole. */
export async function measureTemplate(folder: string): Promise<number> {
  const statuses = await Promise.all(
    [getStatePath(folder), getMemoryPath(folder)].map((filePath) => stat(filePath)),
  );
  return statuses.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

/** Metadata goes first, so that a crash in between leaves something that nobody takes for a template. */
export async function removeTemplate(folder: string): Promise<void> {
  await rm(path.join(folder, FILES.metadata), { force: true });
  await rm(folder, { recursive: true, force: true });
}

async function hashFile(filePath: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(filePath))
    .digest('hex');
}

function damaged(filePath: string): WardianError {
  return new WardianError('TEMPLATE_FAILED', `${filePath} is damaged`);
}
