import { removeTree } from '../../host/remove-tree.ts';
import { parseResources } from '../../oci/runtime-spec/parse.ts';
import { translateResources } from '../../oci/translate/cgroup-files.ts';
import type { Container } from '../../sandbox/container.ts';
import {
  type CreatedContainer,
  createSandbox,
  joinSandbox,
} from '../../sandbox/create-container.ts';
import type { SandboxState } from '../../sandbox/sandbox-state.ts';
import type { SandboxServices } from '../../sandbox/start-machine.ts';
import { WardianError } from '../../util/errors.ts';
import type { AttachRequest } from '../api.ts';
import { getRunning, notRunning, toAttachableExec } from '../attachable.ts';
import type {
  AttachableProcess,
  ContainerEntry,
  ContainerRegistry,
} from '../container-registry.ts';
import type { CreateContainerRequest, ExecContainerRequest } from '../engine-api.ts';
import { checkGrowth } from './check-growth.ts';
import {
  type FindByStub,
  planEngineContainer,
  withoutHostNumbers,
} from './plan-engine-container.ts';
import { planEngineExec } from './plan-engine-exec.ts';
import { isStubAlive, StubWatch } from './stub-watch.ts';

/** The cgroup file by which the guest's kernel stops a container and lets it go on. */
const FREEZER = 'cgroup.freeze';

/** The containers of engines: nobody but their engine sees them, and each process has a stub on the host. */
export class EngineContainers {
  readonly #services: SandboxServices;
  readonly #registry: ContainerRegistry;
  readonly #entries = new Map<string, ContainerEntry>();
  /** By the id of the container or of the exec process. */
  readonly #watches = new Map<string, StubWatch>();

  /** `registry` knows what is being started. */
  constructor(services: SandboxServices, registry: ContainerRegistry) {
    this.#services = services;
    this.#registry = registry;
  }

  get entries(): ContainerEntry[] {
    return [...this.#entries.values()];
  }

  get aliveCount(): number {
    return this.entries.filter(({ container }) => container?.isAlive === true).length;
  }

  get(id: string): ContainerEntry | undefined {
    return this.#entries.get(id);
  }

  async create(request: CreateContainerRequest, signal?: AbortSignal): Promise<{ pid: number }> {
    const { id } = request;
    if (this.#entries.has(id)) {
      throw new WardianError('NAME_IN_USE', `container ${request.name} exists`);
    }
    let pid = 0;
    await this.#registry.whileStarting(id, async () => {
      const created = await this.#make(request, signal);
      ({ pid } = created);
      return this.#toAttachable(this.add(created.container));
    });
    return { pid };
  }

  async start(id: string): Promise<void> {
    const { container, state } = this.#find(id);
    if (container?.isAlive !== true) throw notRunning(state.name);
    await container.start();
  }

  async delete(id: string): Promise<void> {
    await this.#registry.getStarting(id)?.process.catch(() => {}); // told to whoever asked for it
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const { container, state } = entry;
    // A stub that lives gets the last output and the exit code first, where there can be any.
    const isAwaited = state.status === 'running' && isServedByStub(state);
    if (!isAwaited) container?.io.markTaken();
    await container?.kill();
    await container?.finished; // until then it uses its folder
    if (container?.ownsSandbox === false && !container.sandbox.isEnding) {
      await container.sandbox.agent.deleteContainer({ id }).catch(() => {}); // with the machine, if it is going meanwhile
    }
    this.#watches.get(id)?.stop();
    this.#watches.delete(id);
    await removeTree(entry.directory);
    if (this.#entries.get(state.id) === entry) this.#entries.delete(id);
  }

  async exec(request: ExecContainerRequest): Promise<{ pid: number }> {
    const { execId } = request;
    const entry = this.#find(request.container);
    const container = getRunning(entry);
    let pid = 0;
    await this.#registry.whileStarting(execId, async () => {
      const started = container.exec(planEngineExec(request, entry.state));
      this.#watchExec(container, execId);
      ({ pid } = await started);
      return this.#toAttachableExec(container, execId);
    });
    return { pid };
  }

  async setPaused(id: string, isPaused: boolean): Promise<void> {
    const container = getRunning(this.#find(id));
    await container.update([{ key: FREEZER, value: isPaused ? '1' : '0' }]);
    const { engine } = container.state;
    if (engine !== undefined) engine.isPaused = isPaused;
    await container.save();
  }

  async update(id: string, text: string): Promise<void> {
    const { container, state } = this.#find(id);
    if (container?.isAlive !== true) throw notRunning(state.name);
    const resources = parseResources(text);
    checkGrowth(resources, this.#getMachineState(state));
    await container.update(translateResources(withoutHostNumbers(resources)));
  }

  /** The process that a client asks for; undefined when it is not of an engine's container. */
  findProcess({ container: id, execId }: AttachRequest): AttachableProcess | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (execId === undefined) return this.#toAttachable(entry);
    if (entry.container === undefined) throw notRunning(entry.state.name);
    return this.#toAttachableExec(entry.container, execId);
  }

  /** Takes a container in and waits for its stub. */
  add(container: Container): ContainerEntry {
    const { state, directory } = container;
    const done = container.ended.then(() => {});
    const entry: ContainerEntry = { state, directory, container, done };
    this.#entries.set(state.id, entry);
    const { engine } = state;
    if (engine !== undefined) {
      const onGone = (): void => {
        container.io.markTaken();
        void container.kill();
      };
      this.#watch(state.id, new StubWatch(engine.stub, onGone), container.ended);
    }
    for (const { execId } of state.execs) this.#watchExec(container, execId);
    return entry;
  }

  /** Takes one in that ended under an earlier sandboxer: its stub may still come for the exit code. */
  addEnded(state: SandboxState, directory: string): void {
    const done = Promise.resolve();
    this.#entries.set(state.id, { state, directory, container: undefined, done });
  }

  async #make(request: CreateContainerRequest, signal?: AbortSignal): Promise<CreatedContainer> {
    const options = { ...(signal !== undefined && { signal }) };
    if (request.sandbox === undefined) {
      const plan = planEngineContainer(request, () => undefined);
      return await createSandbox(this.#services, plan, options);
    }
    const { container } = this.#find(request.sandbox);
    if (container?.isAlive !== true || container.sandbox.isEnding) {
      throw new WardianError('CONTAINER_NOT_RUNNING', 'the sandbox that it is to join has ended');
    }
    const { sandbox } = container;
    const plan = planEngineContainer(request, this.#findByStub(container));
    return await joinSandbox(this.#services, { ...options, sandbox }, plan);
  }

  #findByStub({ sandbox }: Container): FindByStub {
    const neighbours = this.entries.filter(({ container }) => container?.sandbox === sandbox);
    return (pid) => neighbours.find(({ state }) => state.engine?.stub.pid === pid)?.state.id;
  }

  #getMachineState(state: SandboxState) {
    const owner = this.#entries.get(state.engine?.sandbox ?? state.id);
    return owner?.state.machine;
  }

  #find(id: string): ContainerEntry {
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    throw new WardianError('CONTAINER_NOT_FOUND', `no container of an engine has the id ${id}`);
  }

  #watchExec(container: Container, execId: string): void {
    const io = container.getProcess(execId);
    const stub = container.state.execs.find((exec) => exec.execId === execId)?.stub;
    if (io === undefined || stub === undefined) return;
    const onGone = (): void => {
      io.markTaken();
      container.killExec(execId).catch(() => {}); // it has ended by itself
    };
    this.#watch(execId, new StubWatch(stub, onGone), io.exited);
  }

  #watch(id: string, watch: StubWatch, over: Promise<unknown>): void {
    this.#watches.set(id, watch);
    watch.begin();
    void over.then(() => {
      watch.stop();
      this.#watches.delete(id);
    });
  }

  #toAttachable({ container, state, done }: ContainerEntry): AttachableProcess {
    if (container === undefined) throw notRunning(state.name);
    return {
      io: container.io,
      done,
      disown: () => container.disown(),
      ...this.#followStub(state.id),
    };
  }

  #toAttachableExec(container: Container, execId: string): AttachableProcess {
    return { ...toAttachableExec(container, execId), ...this.#followStub(execId) };
  }

  /** A stub that was merely disconnected comes back, and wants every byte. */
  #followStub(id: string) {
    return {
      keepsOutput: true,
      gainOwner: () => this.#watches.get(id)?.stop(),
      loseOwner: async () => this.#watches.get(id)?.begin(),
    };
  }
}

function isServedByStub({ engine }: SandboxState): boolean {
  return engine !== undefined && isStubAlive(engine.stub);
}
