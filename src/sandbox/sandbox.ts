import type { AgentClient } from '../agent/agent-client.ts';
import { removeTree } from '../host/remove-tree.ts';
import type { VirtualMachine, VirtualMachineExit } from '../hypervisor/driver.ts';
import type { GuestProcess } from '../oci/guest-operations.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import type { Trace } from '../util/trace.ts';
import type { ContainerLog } from './container-log.ts';
import { startFailure } from './exec-failure.ts';
import { ProcessIo, STREAM_START } from './process-io.ts';
import { type ExitReport, type SandboxState, writeSandboxState } from './sandbox-state.ts';

export interface SandboxParts {
  readonly directory: string;
  readonly state: SandboxState;
  readonly machine: VirtualMachine;
  readonly agent: AgentClient;
  readonly io: ProcessIo;
  readonly log: ContainerLog | undefined;
  readonly trace?: Trace | undefined;
}

export interface ExecPlan {
  readonly execId: string;
  readonly process: GuestProcess;
  /** A client is going to attach as the owner; output waits for it, and the process ends with it. */
  readonly owned: boolean;
}

/** Figures of a container, as the guest's cgroup has them. */
export interface SandboxStats {
  readonly cpuUsageMicroseconds: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly pids: number;
}

const SIGKILL = 9;
/** Exit code of a process that was killed: 128 + SIGKILL. */
const KILLED_EXIT_CODE = 137;
/** How long a killed container may take to say so before its machine is ended from outside. */
const KILL_GRACE_MS = 2_000;
/** Between the closing of a machine's channel and its end; then it is alive, and its channel alone is gone. */
const DYING_MS = 500;
/** How long the client of a foreground process may take to come back after its sandboxer died. */
export const OWNER_GRACE_MS = 10_000;

/** A virtual machine with its running container. Made by `startSandbox` and `adoptSandbox`. */
export class Sandbox {
  readonly directory: string;
  readonly state: SandboxState;
  readonly io: ProcessIo;
  readonly log: ContainerLog | undefined;
  /** Of its start, going on to its end, when somebody asked for that. */
  readonly trace: Trace | undefined;
  /** Settles when the container is over, its machine gone and its state written. Never rejects. */
  readonly finished: Promise<ExitReport>;
  readonly #machine: VirtualMachine;
  readonly #agent: AgentClient;
  readonly #execs = new Map<string, ProcessIo>();
  #writing: Promise<void> = Promise.resolve();
  #released = false;

  constructor(parts: SandboxParts) {
    this.directory = parts.directory;
    this.state = parts.state;
    this.io = parts.io;
    this.log = parts.log;
    this.trace = parts.trace;
    this.#machine = parts.machine;
    this.#agent = parts.agent;
    this.#watch();
    this.finished = this.io.exited.then((report) => this.#finish(report));
  }

  get running(): boolean {
    return this.state.status === 'running';
  }

  /** Streams of one of its processes; an empty id is the container's own. */
  getProcess(execId: string): ProcessIo | undefined {
    return execId === '' ? this.io : this.#execs.get(execId);
  }

  /** Starts one more process. A command that cannot be run leaves nothing behind. */
  async exec(plan: ExecPlan): Promise<{ pid: number }> {
    this.#assertRunning();
    const { execId } = plan;
    if (execId === '' || this.#execs.has(execId)) {
      throw new WardianError('NAME_IN_USE', `exec id ${execId.slice(0, 64)} is taken`);
    }
    const io = new ProcessIo({ containerId: this.state.id, execId }, STREAM_START);
    if (plan.owned) io.holdForOwner();
    this.#execs.set(execId, io);
    this.state.execs.push({ execId, owned: plan.owned });
    const saved = this.#save();
    saved.catch(() => {}); // awaited below, after what may fail before it
    const request = { containerId: this.state.id, execId, process: plan.process };
    const started = this.#agent.exec(request);
    io.connect(this.#agent);
    void this.#forgetWhenOver(io, plan.owned);
    try {
      const result = await started;
      if (result.execErrno !== 0) throw startFailure(plan.process.args[0] ?? '', result);
      await saved.catch(async (error: unknown) => {
        // The next sandboxer would not know of it.
        await this.signal(SIGKILL, execId).catch(() => {}); // it has ended by itself
        throw error;
      });
      return { pid: result.pid };
    } catch (error) {
      io.end({ exitCode: 0, signal: 0, outOfMemory: false });
      throw error;
    }
  }

  /** Takes an exec process over that another sandboxer started. */
  adoptExec(io: ProcessIo, owned: boolean): void {
    this.#execs.set(io.reference.execId, io);
    io.connect(this.#agent);
    void this.#forgetWhenOver(io, owned);
  }

  async signal(signal: number, execId = ''): Promise<void> {
    this.#assertRunning();
    await this.#agent.signalProcess({ containerId: this.state.id, execId, signal, all: false });
  }

  async resize(rows: number, columns: number, execId = ''): Promise<void> {
    this.#assertRunning();
    await this.#agent.resizeTerminal({ containerId: this.state.id, execId, rows, columns });
  }

  async stats(): Promise<SandboxStats> {
    this.#assertRunning();
    const stats = await this.#agent.stats({ containerId: this.state.id });
    return {
      cpuUsageMicroseconds: Number(stats.cpuUsageMicroseconds),
      memoryBytes: Number(stats.memoryCurrentBytes),
      memoryLimitBytes: Number(stats.memoryLimitBytes),
      pids: Number(stats.pidsCurrent),
    };
  }

  /** Asks the container to end, and ends it when it has not after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    if (!this.running) return;
    if (timeoutMs > 0) {
      // It may be gone or deaf, or the guest may hang: then it is killed, and no later than was asked for.
      const refused = this.signal(this.state.stopSignal).then(
        () => this.finished,
        () => {},
      );
      await Promise.race([this.finished, refused, waitMs(timeoutMs)]);
    }
    if (this.running) await this.kill();
  }

  /** Kills the container; a guest that does not answer loses its machine. */
  async kill(): Promise<void> {
    if (!this.running) return;
    const asked = this.#agent
      .signalProcess({ containerId: this.state.id, execId: '', signal: SIGKILL, all: true })
      .catch(() => {}); // the machine is ended below
    await Promise.race([
      this.finished,
      asked.then(() => waitMs(KILL_GRACE_MS)),
      waitMs(KILL_GRACE_MS),
    ]);
    await this.destroy();
  }

  /** Ends the machine from outside, at once, without asking the guest. */
  async destroy(): Promise<void> {
    await this.#machine.kill();
    await this.finished;
  }

  /** The owner has let go on purpose: the process goes on without it. */
  async disown(execId = ''): Promise<void> {
    this.getProcess(execId)?.releaseHold();
    if (execId === '') this.state.owned = false;
    this.state.execs = this.state.execs.map((exec) =>
      exec.execId === execId ? { ...exec, owned: false } : exec,
    );
    if (this.running) await this.#save();
  }

  /** Ends one exec process whose owner has gone. */
  async killExec(execId: string): Promise<void> {
    if (this.#execs.has(execId)) await this.signal(SIGKILL, execId);
  }

  /** The agent has begun a new session and forgot the open streams: opens them again where they stood. */
  reconnect(): void {
    if (!this.running) return;
    for (const io of [this.io, ...this.#execs.values()]) io.connect(this.#agent);
  }

  /** Lets go without ending anything: the next sandboxer adopts what runs. */
  release(): void {
    this.#released = true;
    this.#agent.close();
    this.#machine.release();
  }

  #assertRunning(): void {
    if (this.running) return;
    throw new WardianError('CONTAINER_NOT_RUNNING', `container ${this.state.name} is not running`);
  }

  #watch(): void {
    this.#machine.exited.then((exit) => this.#onMachineExit(exit));
    this.#agent.ended.then(async (error) => {
      // A guest that breaks the protocol, or whose channel is gone, can't be trusted to go on.
      if (this.#released || !this.running) return;
      if (error?.code === 'SANDBOX_DIED' && (await this.#isDying())) return;
      if (error !== undefined) this.state.error ||= error.message;
      await this.#machine.kill();
    });
  }

  /** A machine that dies closes its channel first; what it died of says more than that. */
  async #isDying(): Promise<boolean> {
    const died = this.#machine.exited.then(() => true);
    return (await Promise.race([died, waitMs(DYING_MS)])) ?? false;
  }

  #onMachineExit(exit: VirtualMachineExit): void {
    if (this.#released) return;
    const sandboxFailure = this.state.error || exit.reason;
    const report = {
      exitCode: KILLED_EXIT_CODE,
      signal: SIGKILL,
      outOfMemory: false,
      sandboxFailure,
    };
    this.io.end(report);
    for (const io of this.#execs.values()) io.end(report);
  }

  async #finish(report: ExitReport): Promise<ExitReport> {
    this.trace?.mark('guest', 'process ended');
    this.state.status = 'exited';
    this.state.finishedAtMs = Date.now();
    this.state.exit = report;
    if (report.sandboxFailure !== undefined) this.state.error ||= report.sandboxFailure;
    delete this.state.machine;
    this.#agent.close();
    for (const io of this.#execs.values()) io.end(report);
    this.state.execs = [];
    // Written down before the machine goes, which alone knows the exit code if we are killed in between.
    await this.log?.flush();
    await this.#save().catch(() => {}); // a full disk: the exit code then is with us alone
    this.trace?.mark('sandboxer', 'exit code written');
    const failures = await this.#dismantle();
    this.trace?.mark('VMM', 'machine gone, with its folder');
    this.state.error ||= failures.join('; ');
    return report;
  }

  /** Ends the machine and, while it dies, removes its folder; returns a sentence for each that failed. */
  async #dismantle(): Promise<string[]> {
    const machine = new Cleanup();
    machine.defer('virtual machine', () => this.#machine.kill());
    const files = new Cleanup();
    files.defer('machine folder', () => removeTree(this.#machine.record.directory));
    files.defer('container log', () => this.log?.close());
    return (await Promise.all([machine.run(), files.run()])).flat();
  }

  /** An owner that has not attached yet (its sandboxer died) still wants the exit code. */
  async #forgetWhenOver(io: ProcessIo, owned: boolean): Promise<void> {
    await io.exited;
    if (owned) await Promise.race([io.claimed, waitMs(OWNER_GRACE_MS)]);
    const { execId } = io.reference;
    this.#execs.delete(execId);
    this.state.execs = this.state.execs.filter((exec) => exec.execId !== execId);
    if (!this.running || this.#released) return;
    await this.#agent.deleteProcess({ containerId: this.state.id, execId }).catch(() => {}); // never started, or the machine is going: nothing to forget there
    await this.#save().catch(() => {}); // who adopts it passes over what the agent does not know any more
  }

  /** State writes follow each other, so that the newest is what stays. */
  #save(): Promise<void> {
    const write = (): Promise<void> => writeSandboxState(this.directory, this.state);
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}

function waitMs(timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeoutMs).unref();
  });
}
