import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { emptyTally, type Tally } from './tally.ts';

export interface TestRun {
  readonly root: string;
  readonly files: readonly string[];
  /** Files that run at once. */
  readonly concurrency: number;
  /** For each test, its subtests included. */
  readonly timeoutMs: number;
  readonly write: (text: string) => void;
}

/** What a test event says, as far as it matters here. */
interface TestEvent {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: {
    readonly type?: string | undefined;
    readonly duration_ms: number;
    readonly error?: (Error & { readonly failureType?: string }) | undefined;
  };
}

/** Test files below the folders, in a stable order. */
export function findTests(root: string, folders: readonly string[]): string[] {
  return folders
    .map((folder) => path.join(root, folder))
    .filter((folder) => existsSync(folder) && statSync(folder).isDirectory())
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
        .map((file) => path.join(folder, file)),
    )
    .sort();
}

/** Runs test files, each in a process of its own; prints failures and the reasons of skips, and counts. */
export async function runTests({
  root,
  files,
  concurrency,
  timeoutMs,
  write,
}: TestRun): Promise<Tally> {
  const tally = emptyTally();
  if (files.length === 0) return tally;
  const stream = run({ files: [...files], concurrency, timeout: timeoutMs });
  const where = (event: TestEvent) =>
    event.file === undefined ? event.name : `${path.relative(root, event.file)}: ${event.name}`;
  stream.on('test:pass', (event: TestEvent) => {
    if (event.details.type === 'suite') return;
    const skip = event.skip ?? event.todo;
    if (skip === undefined || skip === false) {
      tally.passed++;
      return;
    }
    tally.skipped++;
    write(
      `  skipped  ${where(event)} (${skip === true || skip === '' ? 'no reason given' : skip})\n`,
    );
  });
  const failedFiles = new Set<string>();
  const complaints = new Map<string, string[]>();
  stream.on('test:fail', (event: TestEvent) => {
    failedFiles.add(event.file ?? event.name);
    // The parent of a failed test fails with it: one failure, told once.
    if (event.details.error?.failureType === 'subtestsFailed') return;
    tally.failed++;
    write(`  FAILED   ${where(event)}\n${indent(describeError(event.details.error))}\n`);
  });
  stream.on('test:stderr', ({ file, message }: { file?: string; message: string }) => {
    complaints.set(file ?? '', [...(complaints.get(file ?? '') ?? []), message]);
  });
  await new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
    stream.resume();
  });
  for (const file of failedFiles) {
    // What the tests of a file print themselves explains the failures among them.
    const said = complaints.get(file)?.join('').trimEnd() ?? '';
    if (said !== '') write(`  ${path.relative(root, file)} printed:\n${indent(said)}\n`);
  }
  return tally;
}

function describeError(error: Error | undefined): string {
  const cause = error?.cause;
  if (cause instanceof Error) return cause.stack ?? cause.message;
  return error?.stack ?? String(cause ?? error);
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
