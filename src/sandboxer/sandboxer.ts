import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkHostMemory } from '../host/host-memory.ts';
import { removeFile, removeTree } from '../host/remove-tree.ts';
import type { ImageStore } from '../image/image-store.ts';
import type { Container } from '../sandbox/container.ts';
import { OWNER_GRACE_MS } from '../sandbox/execs.ts';
import type { SandboxServices } from '../sandbox/start-machine.ts';
import { startSandbox } from '../sandbox/start-sandbox.ts';
import { chooseSizeClass } from '../template/size-class.ts';
import { WardianError } from '../util/errors.ts';
import { Trace } from '../util/trace.ts';
import type {
  AttachRequest,
  ContainerDetails,
  ContainerSummary,
  ExecRequest,
  ExitReport,
  LogsRequest,
  RunRequest,
  RunResponse,
  SandboxerMethods,
  TemplateRequest,
} from './api.ts';
import type { ContainerStats, ExecResponse } from './api-basics.ts';
import {
  getRunning,
  notRunning,
  toAttachable,
  toAttachableExec,
  waitForStart,
} from './attachable.ts';
import type { ServerStream } from './connection/server-connection.ts';
import {
  type AttachableProcess,
  type ContainerEntry,
  ContainerRegistry,
} from './container-registry.ts';
import { describeContainer, getRequest, summarizeContainer } from './describe-container.ts';
import { EngineContainers } from './engine/engine-containers.ts';
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

type KillRequest = SandboxerMethods['kill']['request'];

const SIGKILL = 9;

/** All containers of one user, and everything that clients may do with them. */
export class Sandboxer {
  readonly registry = new ContainerRegistry();
  readonly engine: EngineContainers;
  readonly #services: SandboxServices;
  readonly #images: ImageStore;
  readonly #logDirectory: string;

  constructor(options: SandboxerOptions) {
    this.#services = options.services;
    this.engine = new EngineContainers(options.services, this.registry);
    this.#images = options.images;
    this.#logDirectory = path.join(options.dataDirectory, 'logs');
  }

  /** Those that have a process, or are about to. */
  get isBusy(): boolean {
    return this.registry.isBusy || this.engine.aliveCount > 0;
  }

  /** Containers, of people and of engines. */
  count(): { running: number; exited: number } {
    const running = this.registry.runningCount + this.engine.aliveCount;
    return { running, exited: this.allEntries.length - running };
  }

  get allEntries(): ContainerEntry[] {
    return [...this.registry.entries, ...this.engine.entries];
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
        const container = await startSandbox(this.#services, plan, options);
        return toAttachable(this.addContainer(container));
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
    const container = getRunning(entry);
    let pid = 0;
    await this.registry.whileStarting(request.execId, async () => {
      const plan = await planExec(request, entry.state, this.#images);
      pid = (await container.exec(plan)).pid;
      return toAttachableExec(container, request.execId);
    });
    return { pid };
  }

  /** Joins a client to a process until that ends, or the client goes. */
  async attach(request: AttachRequest, stream: ServerStream): Promise<ExitReport> {
    const ended = this.#findEnded(request);
    if (ended !== undefined) {
      const logPath = this.getLogPath(ended.state.id);
      return await attachEnded(ended, { ...request, logPath }, stream);
    }
    const process = await this.#findProcess(request, stream);
    if (request.owner) process.gainOwner?.();
    const end = await attachClient(process, request, stream);
    if (end.kind === 'exited') {
      await process.done;
      if (process.trace !== undefined) sendTrace(stream, process.trace);
      return end.report;
    }
    if (request.owner && end.kind === 'detached') await process.disown();
    if (request.owner && end.kind === 'lost') await process.loseOwner();
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
    const { state, container } = this.registry.find(request.container);
    await followLogs({ logPath: this.getLogPath(state.id), container }, request, stream);
  }

  async stop(container: string, timeoutMs: number): Promise<void> {
    const entry = this.registry.find(container);
    await entry.container?.stop(timeoutMs);
    await entry.done;
  }

  async kill({ container, signal, execId = '', all }: KillRequest): Promise<void> {
    const target = this.#getAlive(container);
    // A guest that hangs cannot be asked to kill: its machine is ended.
    if (signal === SIGKILL && execId === '') await target.kill();
    else await target.signal(signal, { execId, all: all === true });
  }

  async resize(container: string, rows: number, columns: number, execId = ''): Promise<void> {
    await this.#getAlive(container).resize(rows, columns, execId);
  }

  async stats(container: string): Promise<ContainerStats> {
    return this.#getAlive(container).stats();
  }

  async wait(container: string): Promise<number> {
    const entry = this.registry.find(container);
    await entry.done;
    return entry.state.exit?.exitCode ?? 0;
  }

  async remove(container: string, force: boolean, timeoutMs: number): Promise<void> {
    const entry = this.registry.find(container);
    if (entry.container?.running === true) {
      if (!force) {
        throw new WardianError('CONTAINER_RUNNING', `container ${entry.state.name} is running`, {
          hint: `stop it first, or remove it by force: wardian rm -f ${entry.state.name}`,
        });
      }
      await entry.container.stop(timeoutMs);
    }
    await entry.container?.finished; // until then it uses its folder
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

  /** Takes a running container in, and sees to what happens when it ends or its owner does not come. */
  addContainer(container: Container): ContainerEntry {
    const { state, directory } = container;
    const done = container.finished.then(() => this.#afterEnd(container));
    done.catch(() => {}); // told to whoever waits; it stays in the list, where it can be removed again
    const entry: ContainerEntry = { state, directory, container, done };
    this.registry.add(entry);
    if (state.owned) void killUnlessClaimed(container);
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
    for (const { container } of this.allEntries) container?.release();
  }

  async #afterEnd(container: Container): Promise<void> {
    if (!getRequest(container.state).autoRemove) return;
    // The client of one that ended before it came back, after the death of a sandboxer, wants its output and code.
    if (container.state.owned)
      await Promise.race([container.io.claimed, delay(OWNER_GRACE_MS, undefined, { ref: false })]);
    const entry = this.registry.entries.find((known) => known.container === container);
    if (entry !== undefined) await this.deleteEntry(entry);
    container.trace?.mark('sandboxer', 'container removed');
  }

  async #findProcess(request: AttachRequest, stream: ServerStream): Promise<AttachableProcess> {
    const starting = this.registry.getStarting(request.execId ?? request.container);
    if (starting !== undefined) return waitForStart(starting, stream);
    const ofEngine = this.engine.findProcess(request);
    if (ofEngine !== undefined) return ofEngine;
    const entry = this.registry.find(request.container);
    if (request.execId !== undefined) {
      return toAttachableExec(getRunning(entry), request.execId);
    }
    // The owner gets what was kept for it, though the process may have ended before it came back.
    if (request.owner && request.from !== 'now') return toAttachable(entry);
    getRunning(entry);
    return toAttachable(entry);
  }

  /** The container of an owner that comes back after it has ended under an earlier sandboxer. */
  #findEnded(request: AttachRequest): ContainerEntry | undefined {
    const ofEngine = this.engine.get(request.container);
    if (ofEngine === undefined) return findEnded(this.registry, request);
    return ofEngine.container === undefined && request.execId === undefined ? ofEngine : undefined;
  }

  /** By name or id as people have them, or by an engine's whole id. */
  #getAlive(container: string): Container {
    const ofEngine = this.engine.get(container);
    if (ofEngine === undefined) return getRunning(this.registry.find(container));
    if (ofEngine.container?.isAlive === true) return ofEngine.container;
    throw notRunning(ofEngine.state.name);
  }
}
