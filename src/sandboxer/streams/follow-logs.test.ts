import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Container } from '../../sandbox/container.ts';
import type { ContainerLog } from '../../sandbox/container-log.ts';
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

/** A client that takes frames, until it leaves. */
function makeStream(send: ServerStream['send']): { stream: ServerStream; leave: () => void } {
  const gone = new AbortController();
  const stream: ServerStream = {
    send,
    drained: () => Promise.resolve(),
    onFrame: () => {},
    signal: gone.signal,
    closed: new Promise((resolve) => gone.signal.addEventListener('abort', () => resolve())),
  };
  return { stream, leave: () => gone.abort() };
}

async function readLogs(
  logPath: string,
  request: Partial<LogsRequest>,
  onStart?: (start: LogStart) => void,
): Promise<string> {
  let text = '';
  const { stream } = makeStream((kind, _offset, bytes) => {
    if (kind === STREAM_KIND.logStart) return onStart?.(JSON.parse(String(bytes)));
    text += `${kind === STREAM_KIND.stderr ? '!' : ''}${Buffer.from(bytes ?? [])}`;
  });
  const whole = { container: 'x', follow: false, timestamps: false, ...request };
  await followLogs({ logPath, container: undefined }, whole, stream);
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
});

test('a reader that fails or leaves is not told of growth any more', async () => {
  const logPath = await writeLog(['stdout', 'a\n']);
  const listeners = new Set<() => void>();
  const onGrowth = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const log = { onGrowth } as unknown as ContainerLog;
  const container = { running: true, log, finished: new Promise(() => {}) } as unknown as Container;
  const request = { container: 'x', follow: true, timestamps: false };
  const failing = makeStream(() => {
    throw new Error('broken');
  });
  await assert.rejects(followLogs({ logPath, container }, request, failing.stream), /broken/);
  assert.equal(listeners.size, 0);
  const leaving = makeStream(() => {});
  const following = followLogs({ logPath, container }, request, leaving.stream);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(listeners.size, 1);
  leaving.leave();
  await following;
  assert.equal(listeners.size, 0);
});
