import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { appendFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ContainerLog, type LogRecord, readLog } from './container-log.ts';
import { OutputStream } from './output-stream.ts';

async function makeLogPath(context: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'wardian-log-'));
  context.after(() => rm(directory, { recursive: true }));
  return path.join(directory, 'container.log');
}

async function readRecords(logPath: string): Promise<LogRecord[]> {
  const file = await open(logPath);
  const records: LogRecord[] = [];
  for await (const record of readLog(file)) records.push(record);
  await file.close();
  return records;
}

function connect(log: ContainerLog, start = 0): { stream: OutputStream; acknowledged: number[] } {
  const acknowledged: number[] = [];
  const stream = new OutputStream(start, (offset) => acknowledged.push(offset));
  stream.addSink(log.createSink('stdout', stream), log.getPosition('stdout'));
  return { stream, acknowledged };
}

test('output is acknowledged once it is in the log, with any bytes', async (context) => {
  const logPath = await makeLogPath(context);
  const log = await ContainerLog.open(logPath);
  const { stream, acknowledged } = connect(log);
  const bytes = Buffer.from('line\n\0\xff no newline', 'latin1');
  stream.push(0, bytes, false);
  assert.deepEqual(acknowledged, []);
  await log.flush();
  assert.deepEqual(acknowledged, [bytes.length]);
  await log.close();
  const [record] = await readRecords(logPath);
  assert.deepEqual(record?.bytes, bytes);
});

test('a torn record is cut off, and the log goes on without loss or repetition', async (context) => {
  const logPath = await makeLogPath(context);
  const first = await ContainerLog.open(logPath);
  connect(first).stream.push(0, Buffer.from('0123456789'), false);
  await first.close();
  await appendFile(logPath, `${Date.now()} stdout 10 100\nonly the begin`);
  const second = await ContainerLog.open(logPath);
  assert.equal(second.getPosition('stdout'), 10);
  const { stream } = connect(second, 5);
  stream.push(5, Buffer.from('56789abc'), false);
  await second.close();
  const records = await readRecords(logPath);
  assert.equal(Buffer.concat(records.map(({ bytes }) => bytes)).toString(), '0123456789abc');
});

test('records longer than one read come back whole', async (context) => {
  const logPath = await makeLogPath(context);
  const log = await ContainerLog.open(logPath);
  const { stream } = connect(log);
  const big = Buffer.alloc(700_000, 'abcdefg');
  stream.push(0, big, false);
  stream.push(big.length, Buffer.from('end'), true);
  await log.close();
  const records = await readRecords(logPath);
  assert.ok(
    Buffer.concat([big, Buffer.from('end')]).equals(
      Buffer.concat(records.map(({ bytes }) => bytes)),
    ),
  );
});

test('a file that is not a log is read as an empty one', async (context) => {
  const logPath = await makeLogPath(context);
  await appendFile(logPath, Buffer.alloc(1000, 'garbage '));
  assert.deepEqual(await readRecords(logPath), []);
});

test('a log that can’t be written lets the container go on', async (context) => {
  const logPath = await makeLogPath(context);
  const log = await ContainerLog.open(logPath);
  const { stream, acknowledged } = connect(log);
  await log.close();
  stream.push(0, Buffer.from('lost'), false);
  await log.flush();
  assert.deepEqual(acknowledged, [4]);
  assert.ok(log.failure instanceof Error);
});

test('a log that does not grow holds no descriptor, and goes on when it grows', async (context) => {
  const logPath = await makeLogPath(context);
  const log = await ContainerLog.open(logPath);
  const { stream } = connect(log);
  stream.push(0, Buffer.from('one'), false);
  await log.flush();
  assert.ok(isOpen(logPath));
  await delay(1_300);
  assert.ok(!isOpen(logPath));
  stream.push(3, Buffer.from('two'), false);
  await log.flush();
  const records = await readRecords(logPath);
  assert.deepEqual(
    records.map(({ bytes }) => bytes.toString()),
    ['one', 'two'],
  );
  await log.close();
  assert.ok(!isOpen(logPath));
});

function isOpen(filePath: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === filePath;
    } catch {
      return false; // that of the reading itself
    }
  });
}
