import type { GuestProcess } from '../oci/guest-operations.ts';
import { WardianError } from '../util/errors.ts';
import { startFailure } from './exec-failure.ts';
import { ProcessIo, STREAM_START } from './process-io.ts';
import type { Sandbox } from './sandbox.ts';
import type { ExecState, ExitReport, SandboxState, StubProcess } from './sandbox-state.ts';
import { waitMs } from './wait-ms.ts';

export interface ExecPlan {
  readonly execId: string;
  readonly process: GuestProcess;
  /** A client is going to attach as the owner; output waits for it, and the process ends with it. */
  readonly owned: boolean;
  /** Stands for it on the host, in a container of an engine. */
  readonly stub?: StubProcess;
}

/** The container, as far as its further processes need it. */
export interface ExecHost {
  readonly sandbox: Sandbox;
  readonly state: SandboxState;
  readonly isAlive: boolean;
  save(): Promise<void>;
}

const SIGKILL = 9;
/** How long the client of a foreground process may take to come back after its sandboxer died. */
export const OWNER_GRACE_MS = 10_000;
const NOT_STARTED: ExitReport = { exitCode: 0, signal: 0, outOfMemory: false };

/** The processes that were started beside a container's own. */
export class Execs {
  readonly #host: ExecHost;
  readonly #running = new Map<string, ProcessIo>();

  constructor(host: ExecHost) {
    this.#host = host;
  }

  get all(): ProcessIo[] {
    return [...this.#running.values()];
  }

  get(execId: string): ProcessIo | undefined {
    return this.#running.get(execId);
  }

  /** Starts one more process. A command that cannot be run leaves nothing behind. */
  async start(plan: ExecPlan): Promise<{ pid: number }> {
    const { execId, owned, stub } = plan;
    const { sandbox, state } = this.#host;
    if (execId === '' || this.#running.has(execId)) {
      throw new WardianError('NAME_IN_USE', `exec id ${execId.slice(0, 64)} is taken`);
    }
    const io = new ProcessIo({ containerId: state.id, execId }, STREAM_START);
    if (owned) io.holdForOwner();
    this.#running.set(execId, io);
    const exec: ExecState = { execId, owned, ...(stub !== undefined && { stub }) };
    state.execs.push(exec);
    const saved = this.#host.save();
    saved.catch(() => {}); // awaited below, after what may fail before it
    const request = { containerId: state.id, execId, process: plan.process };
    const started = sandbox.agent.exec(request);
    io.connect(sandbox.agent);
    void this.#forgetWhenOver(io, exec);
    try {
      const result = await started;
      if (result.execErrno !== 0) throw startFailure(plan.process.args[0] ?? '', result);
      await saved.catch(async (error: unknown) => {
        // The next sandboxer would not know of it.
        await this.kill(execId).catch(() => {}); // it has ended by itself
        throw error;
      });
      return { pid: result.pid };
    } catch (error) {
      io.markTaken(); // whoever asked is told now: no owner comes for it
      io.end(NOT_STARTED);
      throw error;
    }
  }

  /** Takes a process over that another sandboxer started. */
  adopt(io: ProcessIo, exec: ExecState): void {
    this.#running.set(exec.execId, io);
    io.connect(this.#host.sandbox.agent);
    void this.#forgetWhenOver(io, exec);
  }

  async kill(execId: string): Promise<void> {
    if (!this.#running.has(execId)) return;
    const containerId = this.#host.state.id;
    const { agent } = this.#host.sandbox;
    await agent.signalProcess({ containerId, execId, signal: SIGKILL, all: false });
  }

  /** The container is over, and these with it. */
  endAll(report: ExitReport): void {
    for (const io of this.all) io.end(report);
  }

  /** An owner that has not attached yet (its sandboxer died) still wants the exit code, and a stub the last output. */
  async #forgetWhenOver(io: ProcessIo, { execId, owned, stub }: ExecState): Promise<void> {
    await io.exited;
    if (owned) {
      const done = stub === undefined ? io.claimed : io.taken;
      await Promise.race([done, waitMs(OWNER_GRACE_MS)]);
    }
    const { sandbox, state } = this.#host;
    this.#running.delete(execId);
    state.execs = state.execs.filter((exec) => exec.execId !== execId);
    if (!this.#host.isAlive || sandbox.isReleased) return;
    await sandbox.agent.deleteProcess({ containerId: state.id, execId }).catch(() => {}); // never started, or the machine is going: nothing to forget there
    await this.#host.save().catch(() => {}); // who adopts it passes over what the agent does not know any more
  }
}
