import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkHostMemory } from '../host/host-memory.ts';
import { removeFile, removeTree } from '../host/remove-tree.ts';
import type { ImageStore } from '../image/image-store.ts';
import { OWNER_GRACE_MS, type Sandbox } from '../sandbox/sandbox.ts';
import type { SandboxServices } from '../sandbox/start-machine.ts';
import { startSandbox } from '../sandbox/start-sandbox.ts';
import { chooseSizeClass } from '../template/size-class.ts';
import { WardianError } from '../util/errors.ts';
import { Trace } from '../util/trace.ts';
import {
  type AttachRequest,
  type ContainerDetails,
  type ContainerStats,
  type ContainerSummary,
  type ExecRequest,
  type ExitReport,
  type LogsRequest,
  type RunRequest,
  type RunResponse,
  STREAM_KIND,
  type TemplateRequest,
} from './api.ts';
import type { ExecResponse } from './api-basics.ts';
import type { ServerStream } from './connection/server-connection.ts';
import {
  type AttachableProcess,
  type ContainerEntry,
  ContainerRegistry,
  type StartingProcess,
} from './container-registry.ts';
import { describeContainer, getRequest, summarizeContainer } from './describe-container.ts';
import { killUnlessClaimed } from './kill-unless-claimed.ts';
import { findImage } from './requests/find-image.ts';
import { planContainer } from './requests/plan-container.ts';
import { planExec } from './requests/plan-exec.ts';
import { attachClient } from './streams/attach.ts';
import { attachEnded, findEnded } from './streams/attach-ended.ts';
import { followLogs } from './streams/follow-logs.ts';
import { sendTrace } from './streams/send-trace.ts';

export interface SandboxerOptions {
  readonly services: SandboxServices;
  readonly images: ImageStore;
  readonly dataDirectory: string;
}

const SIGKILL = 9;

/** All containers of one user, and everything that clients may do with them. */
export class Sandboxer {
  readonly registry = new ContainerRegistry();
  readonly #services: SandboxServices;
  readonly #images: ImageStore;
  readonly #logDirectory: string;

  constructor(options: SandboxerOptions) {
    this.#services = options.services;
    this.#images = options.images;
    this.#logDirectory = path.join(options.dataDirectory, 'logs');
  }

  async run(request: RunRequest, signal?: AbortSignal): Promise<RunResponse> {
    const { id } = request;
    const trace = request.trace === true ? new Trace() : undefined;
    trace?.mark('sandboxer', 'request received');
    checkHostMemory(request.limits.memoryBytes);
    const { name, release } = this.registry.reserve(id, request.name);
    try {
      const start = async (onProgress: (line: string) => void): Promise<AttachableProcess> => {
        const { busyboxPath } = this.#services.pairs;
        const image = await findImage(this.#images, request.image, busyboxPath);
        trace?.mark('sandboxer', 'image found');
        const plan = planContainer(request, { name, image, logPath: this.getLogPath(id) });
        trace?.mark('sandboxer', 'container planned');
        const options = { onProgress, trace, ...(signal !== undefined && { signal }) };
        const sandbox = await startSandbox(this.#services, plan, options);
        return this.#toAttachable(this.addSandbox(sandbox));
      };
      await this.registry.whileStarting(id, start, trace);
      return { id, name, warnings: [] };
    } catch (error) {
      release();
      throw error;
    }
  }

  async exec(request: ExecRequest): Promise<ExecResponse> {
    const entry = this.registry.find(request.container);
    const sandbox = getRunning(entry);
    let pid = 0;
    await this.registry.whileStarting(request.execId, async () => {
      const plan = await planExec(request, entry.state, this.#images);
      pid = (await sandbox.exec(plan)).pid;
      return this.#toAttachableExec(sandbox, request.execId);
    });
    return { pid };
  }

  /** Joins a client to a process until that ends, or the client goes. */
  async attach(request: AttachRequest, stream: ServerStream): Promise<ExitReport> {
    const ended = findEnded(this.registry, request);
    if (ended !== undefined) {
      const logPath = this.getLogPath(ended.state.id);
      return await attachEnded(ended, { ...request, logPath }, stream);
    }
    const process = await this.#findProcess(request, stream);
    const end = await attachClient(process.io, request, stream);
    if (end.kind === 'exited') {
      await process.done;
      if (process.trace !== undefined) sendTrace(stream, process.trace);
      return end.report;
    }
    if (request.owner && end.kind === 'detached') await process.disown();
    if (request.owner && end.kind === 'lost') await process.kill();
    return { exitCode: 0, signal: 0, outOfMemory: false };
  }

  list(all: boolean): ContainerSummary[] {
    return this.registry.entries
      .filter(({ state }) => all || state.status === 'running')
      .sort((a, b) => b.state.createdAtMs - a.state.createdAtMs)
      .map(summarizeContainer);
  }

  inspect(container: string): ContainerDetails {
    const entry = this.registry.find(container);
    return describeContainer(entry, {
      logPath: this.getLogPath(entry.state.id),
    });
  }

  async logs(request: LogsRequest, stream: ServerStream): Promise<void> {
    const { state, sandbox } = this.registry.find(request.container);
    await followLogs({ logPath: this.getLogPath(state.id), sandbox }, request, stream);
  }

  async stop(container: string, timeoutMs: number): Promise<void> {
    const { sandbox, done } = this.registry.find(container);
    await sandbox?.stop(timeoutMs);
    await done;
  }

  async kill(container: string, signal: number, execId = ''): Promise<void> {
    const sandbox = getRunning(this.registry.find(container));
    // A guest that hangs cannot be asked to kill: its machine is ended.
    if (signal === SIGKILL && execId === '') await sandbox.kill();
    else await sandbox.signal(signal, execId);
  }

  async resize(container: string, rows: number, columns: number, execId = ''): Promise<void> {
    await getRunning(this.registry.find(container)).resize(rows, columns, execId);
  }

  async stats(container: string): Promise<ContainerStats> {
    return getRunning(this.registry.find(container)).stats();
  }

  async wait(container: string): Promise<number> {
    const entry = this.registry.find(container);
    await entry.done;
    return entry.state.exit?.exitCode ?? 0;
  }

  async remove(container: string, force: boolean, timeoutMs: number): Promise<void> {
    const entry = this.registry.find(container);
    if (entry.sandbox?.running === true) {
      if (!force) {
        throw new WardianError('CONTAINER_RUNNING', `container ${entry.state.name} is running`, {
          hint: `stop it first, or remove it by force: wardian rm -f ${entry.state.name}`,
        });
      }
      await entry.sandbox.stop(timeoutMs);
    }
    await entry.sandbox?.finished; // until then it uses its folder
    await this.deleteEntry(entry);
  }

  async prepareTemplate(
    { limits, guest }: TemplateRequest,
    signal: AbortSignal,
  ): Promise<{ key: string; made: boolean }> {
    checkHostMemory(limits.memoryBytes);
    let made = false;
    const onProgress = (): void => {
      made = true;
    };
    const size = chooseSizeClass(limits);
    const { templates } = await this.#services.pairs.choose(guest);
    const template = await templates.obtain(size, { signal, onProgress });
    return { key: template.key, made };
  }

  /** Takes a running sandbox in, and sees to what happens when it ends or its owner does not come. */
  addSandbox(sandbox: Sandbox): ContainerEntry {
    const { state, directory } = sandbox;
    const done = sandbox.finished.then(() => this.#afterEnd(sandbox));
    done.catch(() => {}); // told to whoever waits; it stays in the list, where it can be removed again
    const entry: ContainerEntry = { state, directory, sandbox, done };
    this.registry.add(entry);
    if (state.owned) void killUnlessClaimed(sandbox);
    return entry;
  }

  async deleteEntry(entry: ContainerEntry): Promise<void> {
    await removeTree(entry.directory);
    removeFile(this.getLogPath(entry.state.id));
    this.registry.delete(entry);
  }

  /** Removes the logs of a sandbox whose state is lost, by the name of its folder: the beginning of an id. */
  async deleteLogs(folderName: string): Promise<void> {
    if (!/^[0-9a-f]{16}$/.test(folderName)) return;
    const names = await readdir(this.#logDirectory).catch(() => []); // none was ever written
    for (const name of names) {
      if (name.startsWith(folderName)) await rm(path.join(this.#logDirectory, name));
    }
  }

  getLogPath(id: string): string {
    return path.join(this.#logDirectory, `${id}.log`);
  }

  /** Lets go of everything that runs, for the next sandboxer to adopt. */
  release(): void {
    for (const { sandbox } of this.registry.entries) sandbox?.release();
  }

  async #afterEnd(sandbox: Sandbox): Promise<void> {
    if (!getRequest(sandbox.state).autoRemove) return;
    // The client of one that ended before it came back, after the death of a sandboxer, wants its output and code.
    if (sandbox.state.owned)
      await Promise.race([sandbox.io.claimed, delay(OWNER_GRACE_MS, undefined, { ref: false })]);
    const entry = this.registry.entries.find((known) => known.sandbox === sandbox);
    if (entry !== undefined) await this.deleteEntry(entry);
    sandbox.trace?.mark('sandboxer', 'container removed');
  }

  async #findProcess(request: AttachRequest, stream: ServerStream): Promise<AttachableProcess> {
    const starting = this.registry.getStarting(request.execId ?? request.container);
    if (starting !== undefined) return waitForStart(starting, stream);
    const entry = this.registry.find(request.container);
    if (request.execId !== undefined) {
      return this.#toAttachableExec(getRunning(entry), request.execId);
    }
    // The owner gets what was kept for it, though the process may have ended before it came back.
    if (request.owner && request.from !== 'now') return this.#toAttachable(entry);
    getRunning(entry);
    return this.#toAttachable(entry);
  }

  #toAttachable({ sandbox, state, done }: ContainerEntry): AttachableProcess {
    if (sandbox === undefined) throw notRunning(state.name);
    return {
      io: sandbox.io,
      trace: sandbox.trace,
      done,
      disown: () => sandbox.disown(),
      kill: () => sandbox.destroy(),
    };
  }

  #toAttachableExec(sandbox: Sandbox, execId: string): AttachableProcess {
    const io = sandbox.getProcess(execId);
    if (io === undefined) {
      throw new WardianError('CONTAINER_NOT_RUNNING', `process ${execId.slice(0, 12)} has ended`);
    }
    return {
      io,
      done: Promise.resolve(),
      disown: () => sandbox.disown(execId),
      kill: () => sandbox.killExec(execId),
    };
  }
}

async function waitForStart(
  { process, listeners, trace }: StartingProcess,
  stream: ServerStream,
): Promise<AttachableProcess> {
  const onProgress = (line: string): void =>
    stream.send(STREAM_KIND.progress, 0, Buffer.from(line));
  listeners.add(onProgress);
  try {
    return await process;
  } finally {
    listeners.delete(onProgress);
    if (trace !== undefined) sendTrace(stream, trace);
  }
}

function getRunning(entry: ContainerEntry): Sandbox {
  if (entry.sandbox?.running === true) return entry.sandbox;
  throw notRunning(entry.state.name);
}

function notRunning(name: string): WardianError {
  return new WardianError('CONTAINER_NOT_RUNNING', `container ${name} is not running`);
}
