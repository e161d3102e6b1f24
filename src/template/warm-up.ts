import { randomBytes } from 'node:crypto';
import type { AgentClient } from '../agent/agent-client.ts';
import { buildExecProcess } from '../oci/container/exec-process.ts';
import { NO_NETWORK, networkFiles } from '../oci/container/network-files.ts';
import { translateSpec } from '../oci/translate/translate-spec.ts';
import { WardianError } from '../util/errors.ts';
import { SHARED_FILES, SHARED_ROOT } from './shared-root.ts';
import { buildPlainSpec, PLAIN_REQUEST } from './spare-container.ts';

const ROOT_DISK = 0;
const ENTROPY_BYTES = 64;
const EXEC_ID = 'warm-up';
/** Forks, opens, reads and writes, as most first processes do; lives until its input ends. */
const COMMAND = ['/bin/sh', '-c', 'echo; cat; :'];
const EXEC_COMMAND = ['/bin/true'];
/** Comes back through `cat`. */
const MESSAGE = Buffer.from('warm\n');
const SHARE = '/run/wardian/share';
/** Reads what is bound into a root that the host shares. */
const SHARED_COMMAND = ['/bin/sh', '-c', 'cat /etc/hosts; :'];
const SHARED_OPTIONS = ['bind', 'rprivate'];

/**
 * Has a guest live through the whole life of a container with the built-in image on its root disk: identity, create,
 * start, exec, standard streams, end, delete. Afterwards everything that a start needs has run once, which is what a
 * first start costs where guests are emulated (docs/performance.md). The guest still has to come to rest.
 */
export async function warmUp(agent: AgentClient, signal: AbortSignal): Promise<void> {
  const { id } = PLAIN_REQUEST;
  const spec = buildPlainSpec(COMMAND);
  const container = translateSpec(spec, {
    id,
    layers: [{ lun: ROOT_DISK, type: 'erofs', data: '' }],
    stdin: true,
    files: networkFiles(PLAIN_REQUEST, NO_NETWORK),
  });
  const { process } = container;
  const execRequest = { command: EXEC_COMMAND, env: [], terminal: false, interactive: false };
  const execProcess = buildExecProcess(spec, execRequest, { passwd: '', group: '' });
  const first = Promise.all([
    agent.personalize(makeThrowAwayIdentity(), { signal }),
    agent.createContainer(container, { signal }),
    agent.startContainer({ id }, { signal }),
  ]);
  const main = openStreams(agent, { containerId: id });
  const [, , started] = await orFailed(first, main.exit);
  if (started.execErrno !== 0) throw failed(process.args[0] ?? '', started.execMessage);
  const executed = agent.exec(
    { containerId: id, execId: EXEC_ID, process: execProcess },
    { signal },
  );
  const exec = openStreams(agent, { containerId: id, execId: EXEC_ID });
  if ((await executed).execErrno !== 0) throw failed(EXEC_COMMAND[0] ?? '', 'it cannot be run');
  await exec.exit;
  await agent.deleteProcess({ containerId: id, execId: EXEC_ID }, { signal });
  main.writeStdin(MESSAGE, 0);
  main.endStdin(MESSAGE.length);
  const { code } = await main.exit;
  if (code !== 0) throw failed(process.args.join(' '), `it ended with ${code}`);
  await agent.deleteContainer({ id }, { signal });
}

/**
 * The same for a container whose root the host shares, as engines' containers have it, in a machine that shares the folder
 * of `prepareSharedRoot`. After `warmUp`.
 */
export async function warmUpShare(agent: AgentClient, signal: AbortSignal): Promise<void> {
  const { id } = PLAIN_REQUEST;
  const plain = buildPlainSpec(SHARED_COMMAND);
  const binds = Object.entries(SHARED_FILES).map(([source, destination]) => ({
    ...{ destination, source, type: 'bind', options: SHARED_OPTIONS },
  }));
  const spec = { ...plain, mounts: [...(plain.mounts ?? []), ...binds] };
  const bindSource = (source: string) => `${SHARE}/${source}`;
  const container = translateSpec(spec, {
    ...{ id, layers: [], folder: SHARED_ROOT, stdin: true, bindSource },
  });
  const created = agent.createContainer(container, { signal });
  const started = agent.startContainer({ id }, { signal });
  const main = openStreams(agent, { containerId: id });
  const [, { execErrno, execMessage }] = await orFailed(Promise.all([created, started]), main.exit);
  if (execErrno !== 0) throw failed(SHARED_COMMAND[0] ?? '', execMessage);
  const { code } = await main.exit;
  if (code !== 0) throw failed(SHARED_COMMAND.join(' '), `it ended with ${code}`);
  await agent.deleteContainer({ id }, { signal });
}

/** Random, and replaced by another when the machine is given away. */
function makeThrowAwayIdentity() {
  return {
    entropy: randomBytes(ENTROPY_BYTES),
    realtimeNanoseconds: BigInt(Date.now()) * 1_000_000n,
    hostname: 'localhost',
    interfaces: [], // as most sandboxes; they would not be given back
  };
}

function openStreams(agent: AgentClient, reference: { containerId: string; execId?: string }) {
  const stream = agent.openStdio(reference, {
    onOutput: (name, offset, bytes) => stream.acknowledge(name, offset + bytes.length),
    onStdinAcknowledged: () => {},
    onStdinClosed: () => {},
  });
  stream.exit.catch(() => {}); // awaited where its end is expected
  return stream;
}

/** A stream that fails says so at once, while calls might wait. */
async function orFailed<T>(calls: Promise<T>, exit: Promise<unknown>): Promise<T> {
  const failure = new Promise<never>((_, reject) => exit.catch(reject));
  failure.catch(() => {}); // when the calls were quicker it comes later, to whoever awaits the end
  return await Promise.race([calls, failure]);
}

function failed(command: string, why: string): WardianError {
  return new WardianError(
    'AGENT_FAILED',
    `the throw-away container could not run ${command}: ${why}`,
  );
}
