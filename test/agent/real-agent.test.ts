import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { AgentClient } from '../../src/agent/agent-client.ts';
import type { RequestOf } from '../../src/agent/calls.ts';
import { connectToUnknownAgent } from '../../src/agent/connect.ts';
import { hasAgentStatus } from '../../src/agent/failures.ts';
import { copyFileIn, copyFileOut } from '../../src/agent/file-copy.ts';
import { encodeAccept, MarkerScanner } from '../../src/agent/handshake.ts';
import type { StdioOptions, StdioStream } from '../../src/agent/stdio/stdio-stream.ts';
import { AgentProcess, reasonToSkip } from './agent-process.ts';

const skip = reasonToSkip();
/** CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID */
const NAMESPACES = 0x2c020000n;
/** Those of this process: a machine that is itself a container has not got all. */
const CAPABILITIES = BigInt(
  `0x${/CapEff:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0}`,
);
const ID = 'web';

let agent: AgentProcess;
let client: AgentClient;
before(async () => {
  if (skip !== false) return;
  agent = await AgentProcess.start();
  client = await connectToUnknownAgent(() => agent.connect());
});
afterEach(async () => {
  if (skip !== false) return;
  for (const { id } of await client.listContainers()) await client.deleteContainer({ id });
});
after(async () => {
  if (skip !== false) return;
  client.close();
  await agent.stop();
});

function describeProcess(...args: string[]): NonNullable<RequestOf<'exec'>['process']> {
  const mask = CAPABILITIES;
  const capabilities = { bounding: mask, effective: mask, permitted: mask };
  return { args, env: ['PATH=/bin'], cwd: '/', stdin: true, capabilities };
}

/** Asks for everything that a start takes in one go, as the sandbox does. */
function run(...args: string[]) {
  const created = client.createContainer({
    id: ID,
    rootfs: { layers: [{ lun: 0, type: 'directory' }] },
    process: describeProcess(...args),
    namespaces: NAMESPACES,
  });
  const started = client.startContainer({ id: ID });
  created.catch(() => {}); // `started` fails with it
  return { ...attach({ containerId: ID }), started };
}

/** Attaches to a process and takes all of its output. */
function attach(options: StdioOptions, acknowledges = true) {
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const stdio: StdioStream = client.openStdio(options, {
    onOutput(name, offset, bytes) {
      output[name].push(Uint8Array.from(bytes));
      if (acknowledges) stdio.acknowledge(name, offset + bytes.length);
    },
    onStdinAcknowledged() {},
    onStdinClosed() {},
  });
  const text = (name: 'stdout' | 'stderr') => Buffer.concat(output[name]).toString();
  return { stdio, output, text };
}

test('the agent says who it is', { skip }, async () => {
  const pong = await client.ping();
  assert.match(pong.agentVersion, /^\d+\.\d+/);
  assert.ok(pong.memoryTotalBytes > 0n);
});

test('a container runs, and its output and exit code come', { skip }, async () => {
  const { stdio, started, text } = run('sh', '-c', 'echo out; echo err >&2; exit 7');
  assert.equal((await started).execErrno, 0);
  const exit = await stdio.exit;
  assert.equal(exit.code, 7);
  assert.deepEqual([text('stdout'), text('stderr')], ['out\n', 'err\n']);
});

test('a command that is not there is an answer', { skip }, async () => {
  const { stdio, started } = run('nosuch');
  stdio.exit.catch(() => {}); // whether it has an end is the agent's affair
  const answer = await started;
  assert.equal(answer.execErrno, 2);
  assert.match(answer.execMessage, /nosuch/);
});

test('megabytes go through cat unharmed', { skip }, async () => {
  const data = randomBytes(24 * 1024 * 1024);
  const { stdio, output } = run('cat');
  const begin = performance.now();
  for (let offset = 0; offset < data.length; offset += 100_000) {
    if (!stdio.writeStdin(data.subarray(offset, offset + 100_000), offset)) await stdio.drained();
  }
  stdio.endStdin(data.length);
  assert.equal((await stdio.exit).code, 0);
  const seconds = (performance.now() - begin) / 1000;
  assert.equal(digest(output.stdout), digest([data]));
  assert.ok(seconds < 60, `took ${seconds} s`);
});

test('a process that does not read holds up stdin, one that stops reading frees it', {
  skip,
}, async () => {
  const { stdio } = run('sh', '-c', 'head -c 10 >/dev/null; exec 0<&-; sleep 0.2');
  const piece = Buffer.alloc(64 * 1024);
  let offset = 0;
  for (; offset < 4 * 1024 * 1024; offset += piece.length) {
    if (!stdio.writeStdin(piece, offset)) await stdio.drained();
  }
  assert.equal((await stdio.exit).code, 0);
});

test('further processes start, take signals, and are forgotten', { skip }, async () => {
  const { stdio, started } = run('sleep', '60');
  await started;
  const execution = client.exec({ containerId: ID, execId: 'e1', process: describeProcess('cat') });
  const second = attach({ containerId: ID, execId: 'e1' });
  second.stdio.writeStdin(Buffer.from('hello'), 0);
  assert.equal((await execution).execErrno, 0);
  second.stdio.endStdin(5);
  assert.equal((await second.stdio.exit).code, 0);
  assert.equal(second.text('stdout'), 'hello');
  await client.deleteProcess({ containerId: ID, execId: 'e1' });
  await client.signalProcess({ containerId: ID, signal: 9 });
  const exit = await stdio.exit;
  assert.deepEqual([exit.code, exit.signal], [137, 9]);
});

test('a hook that fails ends the start, in its own words', { skip }, async () => {
  const args = ['sh', '-c', 'cat >&2; echo no good; exit 3'];
  const input = Buffer.from('{}');
  await client.createContainer({
    id: ID,
    rootfs: { layers: [{ lun: 0, type: 'directory' }] },
    process: describeProcess('true'),
    namespaces: NAMESPACES,
    startHooks: [{ path: '/bin/sh', args, env: ['PATH=/bin'], timeoutMilliseconds: 20_000, input }],
  });
  await assert.rejects(
    client.startContainer({ id: ID }),
    /could not start container web: hook \/bin\/sh ended with 3: \{\}no good$/,
  );
});

test('a further process does not make its working directory', { skip }, async () => {
  const { started } = run('sleep', '60');
  await started;
  const process = { ...describeProcess('true'), cwd: '/tmp/not/there' };
  const { execErrno, execMessage } = await client.exec({ containerId: ID, execId: 'e', process });
  assert.equal(execErrno, 2);
  assert.match(execMessage, /cannot enter \/tmp\/not\/there/);
});

test('what is not there is "not found", and what depends on it too', { skip }, async () => {
  const isNotFound = (error: unknown) => hasAgentStatus(error, 'notFound');
  await assert.rejects(client.startContainer({ id: 'nobody' }), isNotFound);
  await assert.rejects(client.signalProcess({ containerId: 'nobody', signal: 9 }), isNotFound);
  const stream = attach({ containerId: 'nobody' });
  stream.stdio.writeStdin(Buffer.from('sent before the answer came'), 0);
  await assert.rejects(stream.stdio.exit, isNotFound);
  await client.ping();
});

test('files travel into a container and out of it', { skip }, async () => {
  const { started } = run('sleep', '60');
  await started;
  const content = randomBytes(1_000_003);
  const file = { containerId: ID, path: '/tmp/copied', mode: 0o640, uid: 1, gid: 2 };
  await copyFileIn(client, { ...file, content: [content] });
  const pieces: Uint8Array[] = [];
  const copied = await copyFileOut(client, { ...file, write: (piece) => void pieces.push(piece) });
  assert.equal(copied.sizeBytes, content.length);
  assert.equal(copied.mode & 0o777, 0o640);
  assert.equal(digest(pieces), digest([content]));
  const missing = { containerId: ID, path: '/nosuch' };
  await assert.rejects(copyFileOut(client, { ...missing, write: () => {} }), (error: unknown) =>
    hasAgentStatus(error, 'notFound'),
  );
});

test('a host that takes over in the middle loses no byte and no exit code', { skip }, async () => {
  const { stdio, output, started } = run('sh', '-c', 'seq 1 200000; cat; exit 3');
  assert.equal((await started).execErrno, 0);
  stdio.writeStdin(Buffer.from('abcdef'), 0);
  let isOver = false;
  stdio.exit.then(
    () => assert.fail('the process ended without its stdin'),
    () => {
      isOver = true;
    },
  );
  while (!isOver && sizeOf(output.stdout) < 300_000) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.close();
  const before = Buffer.concat(output.stdout);
  client = await connectToUnknownAgent(() => agent.connect());
  const [container] = await client.listContainers();
  const state = container?.processes[0];
  assert.ok(state);
  assert.ok(Number(state.stdoutAcknowledged) <= before.length);
  const stdinOffset = Number(state.stdinAcknowledged);
  const second = attach({ containerId: ID, stdoutOffset: before.length, stdinOffset });
  second.stdio.writeStdin(Buffer.from('abcdef').subarray(stdinOffset), stdinOffset);
  second.stdio.endStdin(6);
  assert.equal((await second.stdio.exit).code, 3);
  const numbers = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join('');
  assert.equal(
    digest([before, ...second.output.stdout]),
    digest([Buffer.from(`${numbers}abcdef`)]),
  );
});

test('a host in the middle of a frame hangs up, and the next is understood', { skip }, async () => {
  client.close();
  const channel = await agent.connect();
  const scanner = new MarkerScanner('offer');
  for await (const chunk of channel) {
    const offer = scanner.push(chunk as Buffer)?.marker;
    if (offer === undefined) continue;
    const halfFrame = Buffer.from('00001000000000010100', 'hex');
    await new Promise((resolve) => {
      channel.write(Buffer.concat([encodeAccept(offer.nonce), halfFrame]), resolve);
    });
    break; // which destroys the channel
  }
  client = await connectToUnknownAgent(() => agent.connect());
  await client.ping();
});

test('an agent that prepares for a snapshot tells the nonce of its next session', {
  skip,
}, async () => {
  const nonce = await client.prepareSnapshot();
  client.close();
  const channel = await agent.connect();
  client = AgentClient.start(channel, { knownNonce: nonce });
  await Promise.all([client.ping(), client.listContainers()]);
});

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

function digest(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
