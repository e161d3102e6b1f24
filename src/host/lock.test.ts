import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { acquireLock, withLock } from './lock.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'wardian-lock-'));
after(() => rm(folder, { recursive: true }));

const lockModule = pathToFileURL(path.join(import.meta.dirname, 'lock.ts')).href;

/** Runs a module in a process of its own, with the lock's functions at hand. */
function runScript(body: string) {
  const source = `import { acquireLock, withLock } from '${lockModule}';
    import { readFileSync, writeFileSync } from 'node:fs';
    ${body}`;
  const argv = ['--import', 'tsx', '--input-type=module', '-e', source];
  return spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
}

test('one holder at a time, in one process', async () => {
  const lockPath = path.join(folder, 'a');
  let inside = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      withLock(lockPath, {}, async () => {
        assert.equal(++inside, 1);
        await new Promise(setImmediate);
        inside--;
      }),
    ),
  );
  assert.deepEqual(await readdir(folder), []);
});

test('one holder at a time, between processes', async () => {
  const counter = path.join(folder, 'counter');
  const lockPath = path.join(folder, 'b');
  await writeFile(counter, '0');
  const body = `for (let i = 0; i < 25; i++) await withLock('${lockPath}', {}, async () => {
    const value = Number(readFileSync('${counter}', 'utf8'));
    await new Promise(setImmediate);
    writeFileSync('${counter}', String(value + 1));
  });`;
  const children = Array.from({ length: 3 }, () => runScript(body));
  await Promise.all(children.map((child) => once(child, 'close')));
  assert.equal(await readFile(counter, 'utf8'), '75');
  await rm(counter);
});

test('breaks the lock of a process that was killed, for one of many that wait', async () => {
  const lockPath = path.join(folder, 'c');
  const child = runScript(
    `await acquireLock('${lockPath}'); console.log('held'); setInterval(() => {}, 1e6);`,
  );
  await once(child.stdout, 'data');
  await assert.rejects(acquireLock(lockPath, { timeoutMs: 20 }), /still holds/);
  child.kill('SIGKILL');
  await once(child, 'close');
  let inside = 0;
  await Promise.all(
    Array.from({ length: 10 }, () =>
      withLock(lockPath, {}, async () => {
        assert.equal(++inside, 1);
        await new Promise(setImmediate);
        inside--;
      }),
    ),
  );
  assert.deepEqual(await readdir(folder), []);
});

test('a holder of an earlier boot is dead, and so is one whose lock a crash has damaged', async () => {
  const lockPath = path.join(folder, 'd');
  const holder = { pid: process.pid, startTime: '1', bootId: 'other', token: '0123456789abcdef' };
  await writeFile(lockPath, JSON.stringify(holder));
  await (await acquireLock(lockPath)).release();
  for (const damaged of ['', '{"pid":1', 'nonsense', '\0'.repeat(100), '{}']) {
    await writeFile(lockPath, damaged);
    await (await acquireLock(lockPath, { timeoutMs: 1000 })).release();
  }
  assert.deepEqual(await readdir(folder), []);
});

test('what stands in a lock’s place and is none is reported', async () => {
  const lockPath = path.join(folder, 'directory');
  await mkdir(lockPath);
  await assert.rejects(acquireLock(lockPath), { code: 'STATE_CORRUPT' });
  await rm(lockPath, { recursive: true });
  assert.deepEqual(await readdir(folder), []);
});

test('waiting ends when it is cancelled', async () => {
  const lockPath = path.join(folder, 'e');
  const lock = await acquireLock(lockPath);
  const signal = AbortSignal.timeout(20);
  await assert.rejects(acquireLock(lockPath, { signal }), { code: 'CANCELLED' });
  await lock.release();
});

test('who held a lock in a folder that has gone leaves that of its successor alone', async () => {
  const place = path.join(folder, 'place');
  const lockPath = path.join(place, 'lock');
  await mkdir(place);
  const first = await acquireLock(lockPath);
  await rm(place, { recursive: true });
  await first.release(); // nothing there
  await mkdir(place);
  const second = await acquireLock(lockPath);
  await first.release();
  assert.deepEqual(await readdir(place), ['lock']);
  await second.release();
  await rm(place, { recursive: true });
});
