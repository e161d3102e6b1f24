import { removeTree } from '../host/remove-tree.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import type { Trace } from '../util/trace.ts';
import type { ContainerLog } from './container-log.ts';
import { startFailure } from './exec-failure.ts';
import { type ExecPlan, Execs } from './execs.ts';
import type { ProcessIo } from './process-io.ts';
import type { Sandbox } from './sandbox.ts';
import {
  type ExecState,
  type ExitReport,
  type SandboxState,
  writeSandboxState,
} from './sandbox-state.ts';
import { waitMs } from './wait-ms.ts';

export interface ContainerParts {
  readonly directory: string;
  readonly state: SandboxState;
  readonly sandbox: Sandbox;
  readonly io: ProcessIo;
  readonly log?: ContainerLog | undefined;
  readonly trace?: Trace | undefined;
}

/** Figures of a container, as the guest's cgroup has them. */
export interface ContainerFigures {
  readonly cpuUsageMicroseconds: number;
  readonly memoryBytes: number;
  readonly memoryPeakBytes: number;
  readonly memoryLimitBytes: number;
  readonly pids: number;
  readonly outOfMemoryKills: number;
}

const SIGKILL = 9;
/** Exit code of a process that was killed: 128 + SIGKILL. */
const KILLED_EXIT_CODE = 137;
/** How long a killed container may take to say so before its machine is ended from outside. */
const KILL_GRACE_MS = 2_000;
/** The same where others live in the machine, who would go with it: twice what the agent waits for a process. */
const SHARED_KILL_GRACE_MS = 20_000;
/** How long a stub may take to fetch the last output; then it has it from us, and only we know it. */
const OUTPUT_GRACE_MS = 2_000;

/** A container in a sandbox: the sandbox's own, which ends with it, or one that has joined. */
export class Container {
  readonly directory: string;
  readonly state: SandboxState;
  readonly sandbox: Sandbox;
  readonly io: ProcessIo;
  readonly log: ContainerLog | undefined;
  /** Of its start, going on to its end, when somebody asked for that. */
  readonly trace: Trace | undefined;
  /** Settles when its end is written down, while its machine may still be going. Never rejects. */
  readonly ended: Promise<ExitReport>;
  /** Settles when the container is over, its machine gone and its state written. Never rejects. */
  readonly finished: Promise<ExitReport>;
  readonly #execs: Execs;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: ContainerParts) {
    this.directory = parts.directory;
    this.state = parts.state;
    this.sandbox = parts.sandbox;
    this.io = parts.io;
    this.log = parts.log;
    this.trace = parts.trace;
    this.#execs = new Execs(this);
    this.sandbox.add(this.state.id, this);
    this.ended = this.io.exited.then((report) => this.#writeEnd(report));
    this.finished = this.ended.then((report) => this.#leave(report));
  }

  get running(): boolean {
    return this.state.status === 'running';
  }

  /** It has a process, which may not have been started yet. */
  get isAlive(): boolean {
    return this.state.status !== 'exited';
  }

  /** The sandbox was made for it, and ends with it. */
  get ownsSandbox(): boolean {
    return this.state.engine?.sandbox === undefined;
  }

  /** Streams of one of its processes; an empty id is the container's own. */
  getProcess(execId: string): ProcessIo | undefined {
    return execId === '' ? this.io : this.#execs.get(execId);
  }

  /** Lets the process run that has waited since the container was created. */
  async start(): Promise<void> {
    if (this.state.status !== 'created') {
      throw new WardianError(
        'CONTAINER_RUNNING',
        `container ${this.state.name} was started already`,
      );
    }
    const { id } = this.state;
    const result = await this.sandbox.agent.startContainer({ id });
    if (result.execErrno !== 0) throw startFailure(this.#command, result);
    if (!this.isAlive) return; // it was over that quickly, which is written down
    this.state.status = 'running';
    this.state.startedAtMs = Date.now();
    await this.save();
  }

  async exec(plan: ExecPlan): Promise<{ pid: number }> {
    this.#assertRunning();
    if (this.state.engine?.isPaused === true) {
      throw new WardianError('CONTAINER_NOT_RUNNING', `container ${this.state.name} is paused`, {
        hint: 'resume it first',
      });
    }
    return await this.#execs.start(plan);
  }

  /** Takes an exec process over that another sandboxer started. */
  adoptExec(io: ProcessIo, exec: ExecState): void {
    this.#execs.adopt(io, exec);
  }

  async signal(signal: number, to: { execId?: string; all?: boolean } = {}): Promise<void> {
    this.#assertAlive();
    const { execId = '', all = false } = to;
    await this.sandbox.agent.signalProcess({ containerId: this.state.id, execId, signal, all });
  }

  async resize(rows: number, columns: number, execId = ''): Promise<void> {
    this.#assertAlive();
    await this.sandbox.agent.resizeTerminal({
      ...{ containerId: this.state.id, execId, rows, columns },
    });
  }

  async stats(): Promise<ContainerFigures> {
    this.#assertAlive();
    const stats = await this.sandbox.agent.stats({ containerId: this.state.id });
    return {
      cpuUsageMicroseconds: Number(stats.cpuUsageMicroseconds),
      memoryBytes: Number(stats.memoryCurrentBytes),
      memoryPeakBytes: Number(stats.memoryPeakBytes),
      memoryLimitBytes: Number(stats.memoryLimitBytes),
      pids: Number(stats.pidsCurrent),
      outOfMemoryKills: Number(stats.outOfMemoryKills),
    };
  }

  /** Writes files of its cgroup in the guest. */
  async update(cgroupFiles: { key: string; value: string }[]): Promise<void> {
    this.#assertAlive();
    await this.sandbox.agent.updateContainer({ id: this.state.id, cgroupFiles });
  }

  /** Asks the container to end, and ends it when it has not after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    if (!this.isAlive) return;
    if (timeoutMs > 0) {
      // It may be gone or deaf, or the guest may hang: then it is killed, and no later than was asked for.
      const refused = this.signal(this.state.stopSignal).then(
        () => this.finished,
        () => {},
      );
      await Promise.race([this.finished, refused, waitMs(timeoutMs)]);
    }
    if (this.isAlive) await this.kill();
  }

  /** Kills the container; a guest that does not answer loses its machine. */
  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const graceMs = this.ownsSandbox ? KILL_GRACE_MS : SHARED_KILL_GRACE_MS;
    const asked = this.sandbox.agent
      .signalProcess({ containerId: this.state.id, execId: '', signal: SIGKILL, all: true })
      .catch(() => {}); // the machine is ended below
    await Promise.race([this.finished, asked.then(() => waitMs(graceMs)), waitMs(graceMs)]);
    if (this.ownsSandbox || this.isAlive) await this.destroy();
  }

  /** Ends the machine from outside, at once, without asking the guest. */
  async destroy(): Promise<void> {
    await this.sandbox.machine.kill();
    await this.finished;
  }

  /** The owner has let go on purpose: the process goes on without it. */
  async disown(execId = ''): Promise<void> {
    this.getProcess(execId)?.releaseHold();
    if (execId === '') this.state.owned = false;
    this.state.execs = this.state.execs.map((exec) =>
      exec.execId === execId ? { ...exec, owned: false } : exec,
    );
    if (this.isAlive) await this.save();
  }

  /** Ends one exec process whose owner has gone. */
  async killExec(execId: string): Promise<void> {
    if (this.isAlive) await this.#execs.kill(execId);
  }

  /** The agent has begun a new session and forgot the open streams: opens them again where they stood. */
  reconnect(): void {
    if (!this.isAlive) return;
    for (const io of [this.io, ...this.#execs.all]) io.connect(this.sandbox.agent);
  }

  onMachineGone(failure: string | undefined): void {
    const sandboxFailure = failure === undefined ? undefined : this.state.error || failure;
    const report: ExitReport = {
      exitCode: KILLED_EXIT_CODE,
      signal: SIGKILL,
      outOfMemory: false,
      ...(sandboxFailure !== undefined && { sandboxFailure }),
    };
    this.io.end(report);
    this.#execs.endAll(report);
  }

  /** Lets go without ending anything: the next sandboxer adopts what runs. */
  release(): void {
    this.sandbox.release();
  }

  /** State writes follow each other, so that the newest is what stays. */
  save(): Promise<void> {
    const write = (): Promise<void> => writeSandboxState(this.directory, this.state);
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }

  get #command(): string {
    const spec = JSON.parse(this.state.spec) as { process?: { args?: string[] } };
    return spec.process?.args?.[0] ?? '';
  }

  #assertRunning(): void {
    if (this.running) return;
    throw new WardianError('CONTAINER_NOT_RUNNING', `container ${this.state.name} is not running`);
  }

  #assertAlive(): void {
    if (!this.isAlive) this.#assertRunning();
  }

  /** Written down before the machine goes, which alone knows the exit code if we are killed in between. */
  async #writeEnd(report: ExitReport): Promise<ExitReport> {
    this.trace?.mark('guest', 'process ended');
    if (this.ownsSandbox) this.sandbox.expectEnd();
    if (this.state.engine !== undefined) {
      // The last output is with the guest until the stub has it: it has no log.
      await Promise.race([this.io.taken, this.sandbox.machine.exited, waitMs(OUTPUT_GRACE_MS)]);
      if (this.sandbox.isReleased) await new Promise(() => {}); // the next sandboxer sees to all of this
    }
    this.state.status = 'exited';
    this.state.finishedAtMs = Date.now();
    this.state.exit = report;
    if (report.sandboxFailure !== undefined) this.state.error ||= report.sandboxFailure;
    delete this.state.machine;
    if (this.ownsSandbox) this.sandbox.agent.close();
    this.#execs.endAll(report);
    this.state.execs = [];
    await this.log?.flush();
    await this.save().catch(() => {}); // a full disk: the exit code then is with us alone
    this.trace?.mark('sandboxer', 'exit code written');
    return report;
  }

  async #leave(report: ExitReport): Promise<ExitReport> {
    const failures = this.ownsSandbox ? await this.#dismantle() : [];
    this.sandbox.remove(this.state.id);
    this.trace?.mark('VMM', 'machine gone, with its folder');
    this.state.error ||= failures.join('; ');
    return report;
  }

  /** Ends the machine and, while it dies, removes its folder; returns a sentence for each that failed. */
  async #dismantle(): Promise<string[]> {
    const { machine } = this.sandbox;
    const processes = new Cleanup();
    processes.defer('virtual machine', () => machine.kill());
    const files = new Cleanup();
    files.defer('machine folder', () => removeTree(machine.record.directory));
    files.defer('container log', () => this.log?.close());
    return (await Promise.all([processes.run(), files.run()])).flat();
  }
}
