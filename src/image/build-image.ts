import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { Cleanup } from '../util/cleanup.ts';
import { type ErofsResult, writeErofs } from './erofs/write-erofs.ts';
import { invalidImage, throwIfCancelled, unsupportedImage } from './image-errors.ts';
import type { ImageLimits } from './limits.ts';
import { verifyDigest } from './source/blob-source.ts';
import { decompress, ExpansionBudget } from './source/decompress.ts';
import type { LayerSource } from './source/image-candidate.ts';
import { Spool } from './spool.ts';
import { readTar } from './tar/tar-reader.ts';
import { FileTree } from './tree/file-tree.ts';

/** How far loading is. Bytes are those read from the layers, then those written to the file system image. */
export interface LoadProgress {
  readonly phase: 'reading' | 'writing';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface BuildContext {
  /** A private folder that the caller removes afterwards. */
  readonly temporaryDirectory: string;
  readonly limits: ImageLimits;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A finished image file in the temporary folder, with what the engine needs to know of its content. */
export interface BuiltImage extends ErofsResult {
  readonly filePath: string;
  readonly passwd: string;
  readonly group: string;
}

/** Merges layers, lowest first, into one read-only file system. */
export function buildFromLayers(
  layers: readonly LayerSource[],
  context: BuildContext,
): Promise<BuiltImage> {
  return buildImage(context, async (tree, spool) => {
    const budget = new ExpansionBudget(context.limits);
    const counter = new EntryCounter(context.limits.maxEntries);
    const report = newReadingReport(layers, context);
    for (const layer of layers) {
      tree.beginLayer(layer.label);
      await applyLayer({ layer, tree, spool, budget, counter, report, signal: context.signal });
    }
  });
}

/** Has a tree filled and writes it; all files are in the context's folder. */
export async function buildImage(
  context: BuildContext,
  fill: (tree: FileTree, spool: Spool) => Promise<void>,
): Promise<BuiltImage> {
  const cleanup = new Cleanup();
  try {
    const spool = await Spool.create(path.join(context.temporaryDirectory, 'spool'));
    cleanup.defer('close the spool', () => spool.close());
    const tree = new FileTree(context.limits);
    await fill(tree, spool);
    await spool.flush();
    const accounts = {
      passwd: readAccounts(tree, spool, '/etc/passwd', context.limits),
      group: readAccounts(tree, spool, '/etc/group', context.limits),
    };
    const filePath = path.join(context.temporaryDirectory, 'image.erofs');
    const output = await open(filePath, 'wx', 0o600);
    cleanup.defer('close the image', () => output.close());
    const result = await writeTree(tree, spool, output, context);
    await cleanup.run();
    return { ...result, ...accounts, filePath };
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

interface LayerContext {
  layer: LayerSource;
  tree: FileTree;
  spool: Spool;
  budget: ExpansionBudget;
  counter: EntryCounter;
  report: (bytes: number) => void;
  signal: AbortSignal | undefined;
}

/** Digests are checked when the layer has been read to its end; until then nothing of it is visible to anybody. */
async function applyLayer(context: LayerContext): Promise<void> {
  const { layer, tree, spool, budget, counter, report, signal } = context;
  const input = tap(await layer.open(), report);
  const plain = decompress({ input, label: layer.label, budget, signal });
  const verified = verifyDigest(plain, layer.diffId, layer.label);
  for await (const entry of readTar(verified, layer.label)) {
    throwIfCancelled(signal);
    counter.count(layer.label);
    const isContent = entry.kind === 'file' && !tree.isWhiteout(entry);
    if (isContent) tree.add(entry, await spool.append(entry.content));
    else tree.add(entry);
  }
}

async function writeTree(
  tree: FileTree,
  spool: Spool,
  output: FileHandle,
  context: BuildContext,
): Promise<ErofsResult> {
  const result = await writeErofs({
    output,
    root: tree.root,
    readContent: (offset, length) => spool.read(offset, length),
    onProgress: (doneBytes, totalBytes) => {
      throwIfCancelled(context.signal);
      context.onProgress?.({ phase: 'writing', doneBytes, totalBytes });
    },
  });
  // The virtual machine monitor runs under a uid of its own.
  await output.chmod(0o644);
  await output.sync();
  return result;
}

/** What the image knows of users: read now, so that a container's user can be found without mounting anything. */
function readAccounts(tree: FileTree, spool: Spool, filePath: string, limits: ImageLimits): string {
  const inode = tree.find(filePath);
  if (inode?.kind !== 'file') return '';
  const { offset, sizeBytes } = inode.content;
  if (sizeBytes > limits.maxAccountsBytes) {
    throw unsupportedImage(
      `${filePath} of the image has ${sizeBytes} bytes`,
      `make the image with one of at most ${limits.maxAccountsBytes} bytes`,
    );
  }
  return spool.read(offset, sizeBytes).toString('utf8');
}

function newReadingReport(
  layers: readonly LayerSource[],
  context: BuildContext,
): (bytes: number) => void {
  const totalBytes = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  return (bytes) => {
    doneBytes += bytes;
    context.onProgress?.({ phase: 'reading', doneBytes, totalBytes });
  };
}

async function* tap(
  input: AsyncIterable<Buffer>,
  report: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of input) {
    report(chunk.length);
    yield chunk;
  }
}

class EntryCounter {
  readonly #maxEntries: number;
  #entries = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  count(label: string): void {
    if (++this.#entries <= this.#maxEntries) return;
    throw invalidImage(`${label}: the image has more than ${this.#maxEntries} entries`);
  }
}
