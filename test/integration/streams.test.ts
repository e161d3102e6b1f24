import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { TestHost } from '../support/test-host.ts';

let host: TestHost;
before(() => {
  host = new TestHost();
});
after(() => host.close());

const MIB = 1024 * 1024;

test('-i brings piped stdin to the container, and its end', async () => {
  const text = 'one\ntwo\n';
  assert.equal(await host.succeed(['run', '--rm', '-i', 'busybox', 'cat'], { stdin: text }), text);
  assert.equal(
    await host.succeed(['run', '--rm', '-i', 'busybox', 'wc', '-c'], { stdin: '' }),
    '0\n',
  );
});

test('without -i stdin is empty', async () => {
  assert.equal(
    await host.succeed(['run', '--rm', 'busybox', 'wc', '-c'], { stdin: 'unseen' }),
    '0\n',
  );
});

test('a gibibyte goes in and out unharmed', { timeout: 600_000 }, async (context) => {
  const sizeMib = Number(process.env['WARDIAN_TEST_STREAM_MIB'] ?? 1024);
  const startedAt = Date.now();
  const child = host.start(['run', '--rm', '-i', 'busybox', 'cat']);
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  let receivedBytes = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    received.update(chunk);
    receivedBytes += chunk.length;
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const piece = Buffer.allocUnsafe(MIB);
  for (let index = 0; index < sizeMib; index += 1) {
    piece.fill(`${index} Wardian `);
    sent.update(piece);
    if (!child.stdin?.write(Buffer.from(piece))) {
      await Promise.race([new Promise((resolve) => child.stdin?.once('drain', resolve)), closed]);
    }
  }
  child.stdin?.end();
  assert.equal(await closed, 0);
  assert.equal(receivedBytes, sizeMib * MIB);
  assert.equal(received.digest('hex'), sent.digest('hex'));
  const seconds = (Date.now() - startedAt) / 1000;
  context.diagnostic(
    `${sizeMib} MiB each way in ${seconds.toFixed(1)} s: ${(sizeMib / seconds).toFixed(0)} MiB/s`,
  );
});

test('a reader that leaves early ends the container quietly', async () => {
  const child = host.start(['run', '--rm', 'busybox', 'yes']);
  const closed = new Promise((resolve) => child.once('close', resolve));
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  child.stdout?.destroy();
  await closed;
  for (let tries = 0; tries < 100 && (await host.succeed(['ps', '-q'])) !== ''; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(await host.succeed(['ps', '-q']), '');
});

test('logs keep both streams, lines and times', async () => {
  const script = 'for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2';
  const id = (await host.succeed(['run', '-d', 'busybox', 'sh', '-c', script])).trim();
  assert.equal(await host.succeed(['wait', id]), '0\n');
  const logs = await host.wardian(['logs', id]);
  assert.equal(logs.stdout, 'line 1\nline 2\nline 3\nline 4\nline 5\n');
  assert.equal(logs.stderr, 'oops\n');
  const stamped = await host.succeed(['logs', '-t', id]);
  assert.match(stamped.split('\n')[0] ?? '', /^\d{4}-\d\d-\d\dT[\d:.]+\S* line 1$/);
  const last = await host.wardian(['logs', '--tail', '2', id]);
  assert.equal(last.stdout + last.stderr, 'line 5\noops\n');
  await host.succeed(['rm', id]);
});

test('logs -f follows to the end', async () => {
  const script = 'for i in 1 2 3; do echo $i; sleep 0.2; done';
  const id = (await host.succeed(['run', '-d', 'busybox', 'sh', '-c', script])).trim();
  assert.equal(await host.succeed(['logs', '-f', id]), '1\n2\n3\n');
  await host.succeed(['rm', id]);
});
