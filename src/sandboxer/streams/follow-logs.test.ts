import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type LogStart, type LogsRequest, STREAM_KIND } from '../api.ts';
import type { ServerStream } from '../connection/server-connection.ts';
import { followLogs } from './follow-logs.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'wardian-logs-'));
});
after(() => rm(directory, { recursive: true }));

const SECOND_MS = 1000;

/** A log whose records have these texts, one a second from 1970 on. */
async function writeLog(
  ...records: [stream: 'stdout' | 'stderr', text: string][]
): Promise<string> {
  const offsets = { stdout: 0, stderr: 0 };
  const parts = records.map(([stream, text], index) => {
    const offset = offsets[stream];
    offsets[stream] += text.length;
    return `${index * SECOND_MS} ${stream} ${offset} ${text.length}\n${text}\n`;
  });
  const logPath = path.join(directory, `${Math.random()}.log`);
  await writeFile(logPath, parts.join(''));
  return logPath;
}

async function readLogs(
  logPath: string,
  request: Partial<LogsRequest>,
  onStart?: (start: LogStart) => void,
): Promise<string> {
  let text = '';
  const stream: ServerStream = {
    send: (kind, _offset, bytes) => {
      if (kind === STREAM_KIND.logStart) return onStart?.(JSON.parse(String(bytes)));
      text += `${kind === STREAM_KIND.stderr ? '!' : ''}${Buffer.from(bytes ?? [])}`;
    },
    drained: () => Promise.resolve(),
    onFrame: () => {},
    signal: new AbortController().signal,
    closed: new Promise(() => {}),
  };
  const whole = { container: 'x', follow: false, timestamps: false, ...request };
  await followLogs({ logPath, sandbox: undefined }, whole, stream);
  return text;
}

test('both streams in order', async () => {
  const logPath = await writeLog(['stdout', 'one\n'], ['stderr', 'two\n'], ['stdout', 'three\n']);
  assert.equal(await readLogs(logPath, {}), 'one\n!two\nthree\n');
  assert.equal(await readLogs(logPath, { follow: true }), 'one\n!two\nthree\n');
});

test('the last lines, wherever the records were cut', async () => {
  const logPath = await writeLog(['stdout', 'a\nb\nc'], ['stdout', 'c\nd\ne\n'], ['stdout', 'f']);
  const tails = [0, 1, 2, 3, 4, 5, 99].map((tail) => readLogs(logPath, { tail }));
  assert.deepEqual(await Promise.all(tails), [
    '',
    'f',
    'e\nf',
    'd\ne\nf',
    'cc\nd\ne\nf',
    'b\ncc\nd\ne\nf',
    'a\nb\ncc\nd\ne\nf',
  ]);
});

test('times stand at the beginning of lines only', async () => {
  const logPath = await writeLog(['stdout', 'be'], ['stdout', 'gin\nnext\n']);
  assert.equal(
    await readLogs(logPath, { timestamps: true }),
    '1970-01-01T00:00:00.000Z begin\n1970-01-01T00:00:01.000Z next\n',
  );
});

test('only what was said in that time', async () => {
  const logPath = await writeLog(
    ['stdout', '0\n'],
    ['stdout', '1\n'],
    ['stdout', '2\n'],
    ['stdout', '3\n'],
  );
  assert.equal(await readLogs(logPath, { sinceMs: 1000, untilMs: 2000 }), '1\n2\n');
});

test('a container that never said anything has an empty log', async () => {
  assert.equal(await readLogs(path.join(directory, 'absent.log'), {}), '');
});

test('a reader that comes back begins where it had begun, though the log has grown', async () => {
  const logPath = await writeLog(['stdout', 'a\nb\nc\n'], ['stdout', 'd\n']);
  let start: LogStart | undefined;
  const first = await readLogs(logPath, { tail: 2 }, (told) => {
    start = told;
  });
  assert.equal(first, 'c\nd\n');
  assert.ok(start);
  await appendFile(logPath, `9000 stderr 0 2\ne\n\n`);
  assert.equal(await readLogs(logPath, { tail: 2, start }), 'c\nd\n!e\n');
  for (const position of [-1, 0.5, Number.NaN]) {
    const wrong = { start: { position, skipLines: 0 } };
    await assert.rejects(readLogs(logPath, wrong), { code: 'USAGE' });
  }
});
