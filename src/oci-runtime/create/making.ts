import { getOwnIdentity } from '../../host/process-identity.ts';
import { createId } from '../../host/random-id.ts';
import { type Stub, startStub } from '../../host/stub-process.ts';
import { SOCKET_NAME } from '../../sandboxer/api.ts';
import type { Cleanup } from '../../util/cleanup.ts';
import { checkCommand } from '../bundle/check-command.ts';
import { findSandbox } from '../bundle/find-sandbox.ts';
import { type Bind, listBinds } from '../bundle/list-binds.ts';
import type { Bundle } from '../bundle/load-bundle.ts';
import { type CgroupRequest, createHostCgroups, planHostCgroups } from '../cgroups/host-cgroups.ts';
import type { HookRun } from '../host-work.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import { SandboxerCalls } from '../sandboxer/sandboxer-calls.ts';
import { buildSandboxerEnvironment } from '../sandboxer/sandboxer-start.ts';
import { type ContainerState, STATE_VERSION } from '../state/container-state.ts';
import {
  type ContainerFolder,
  createContainerFolder,
  getContainerFolder,
  PUBLIC_FILE_MODE,
  removeContainerFolder,
  replaceFile,
  writeState,
} from '../state/state-folder.ts';
import { describeState } from '../state/status.ts';
import { chooseNetworkModel } from './choose-network-model.ts';
import { buildStubArgv } from './stub-arguments.ts';

export interface CreateRequest {
  readonly id: string;
  readonly bundle: Bundle;
  readonly context: RuntimeContext;
  readonly pidFile: string | undefined;
  readonly consoleSocket: string | undefined;
  /** Who makes it does not wait for its end. */
  readonly isDetached: boolean;
}

/** A container while it is made: each step says what it has got, and how to undo it. */
export class Making {
  readonly #request: CreateRequest;
  readonly #sandboxer: SandboxerCalls;
  readonly #sandbox: ContainerState | undefined;
  readonly #binds: readonly Bind[];
  #folder: ContainerFolder;
  #state: ContainerState;
  #stub: Stub | undefined;

  constructor(request: CreateRequest) {
    const { id, bundle, context } = request;
    this.#request = request;
    this.#folder = getContainerFolder(context.root, id);
    this.#sandbox = findSandbox(context.root, id, bundle.spec);
    this.#binds = listBinds(bundle.spec, bundle.directory);
    this.#state = describeNew(request, this.#sandbox);
    // Connects while the host's side is made.
    this.#sandboxer = new SandboxerCalls(context, this.#state.key);
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** Takes the id: whoever makes another of that name fails from here on. */
  makeFolder(cleanup: Cleanup): void {
    const { bundle, context } = this.#request;
    this.#folder = createContainerFolder(context.root, this.#state, bundle.text);
    cleanup.defer('state', () => removeContainerFolder(context.root, this.#folder));
  }

  makeCgroups(cleanup: Cleanup): void {
    const cgroups = createHostCgroups(describeCgroups(this.#request));
    cleanup.defer('cgroups', async () => {
      const { deleteHostCgroups } = await import('../cgroups/delete-cgroups.ts');
      await deleteHostCgroups(cgroups);
    });
    this.#note({ cgroups });
  }

  async startStub(cleanup: Cleanup): Promise<Stub> {
    const { bundle, context, consoleSocket, isDetached } = this.#request;
    const { process: program } = bundle.spec;
    const sandbox = this.#sandbox;
    const share = {
      directory: this.#shareDirectory(),
      folder: this.#state.key,
      joinedNamespace: sandbox && `/proc/${sandbox.stub?.pid}/ns/mnt`,
      rootfs: bundle.rootfs,
      binds: this.#binds,
    };
    const target = {
      socketPath: `${context.directories.runtime}/${SOCKET_NAME}`,
      key: this.#state.key,
      cgroups: this.#state.cgroups.directories,
      terminal: program?.terminal ?? false,
      isDetached,
      consoleSocket,
      size: program?.consoleSize,
      sandboxerArgv: [process.execPath, context.sandboxerPath],
    };
    const stub = startStub({
      stubPath: context.stubPath,
      argv: buildStubArgv(target, { share, spec: bundle.spec }),
      environment: buildSandboxerEnvironment(context, this.#state.key),
    });
    cleanup.defer('stub', () => endStub(stub));
    await stub.ready;
    const { pid, startTime, bootId } = stub;
    this.#note({ stub: { pid, startTime, bootId } });
    this.#stub = stub;
    return stub;
  }

  /** Whatever was made when hooks had their turn is undone with hooks, too (runtime-spec, runtime.md, lifecycle). */
  async runPoststop(): Promise<void> {
    if (this.#stub === undefined) return;
    const { runPoststop } = await import('../hooks/run-poststop.ts');
    await runPoststop(this.#request.context, this.#state);
  }

  async runHooks(kind: HookRun['kind']): Promise<void> {
    const hooks = this.#request.bundle.spec.hooks?.[kind] ?? [];
    if (hooks.length === 0) return;
    this.#save(); // They may ask for it.
    const { runHooks } = await import('../hooks/run-hooks.ts');
    await runHooks({
      kind,
      hooks,
      // Those that read it were written when a container was made before they had their turn.
      state: describeState(this.#state, kind === 'prestart' ? 'created' : 'creating'),
      workingDirectory: this.#state.bundle,
      ...(kind === 'createContainer' && { namespacesOf: this.#stubPid() }),
    });
  }

  /** What hooks and engines have put into the network namespace by now becomes the machine's. */
  async wireNetwork(cleanup: Cleanup): Promise<void> {
    const { bundle, context } = this.#request;
    const { annotations = {}, linux } = bundle.spec;
    // A joined sandbox has its network already.
    if (this.#sandbox !== undefined) return;
    const { takeOverNetwork, unwireNetwork } = await import('../../network/take-over-network.ts');
    const network = await takeOverNetwork({
      processId: this.#stubPid(),
      namespacePath: linux?.namespaces?.find(({ type }) => type === 'network')?.path,
      chooseModel: () => chooseNetworkModel(annotations, context.environment),
    });
    if (network === undefined) return;
    cleanup.defer('network', () => unwireNetwork(network));
    this.#note({ network });
    this.#save();
  }

  async makeInGuest(cleanup: Cleanup): Promise<void> {
    const { id, bundle } = this.#request;
    checkCommand(bundle.spec, bundle.rootfs); // Not before the hooks, which may have put it there.
    const { key, cgroups, network, stub } = this.#state;
    const remove = { container: key };
    cleanup.defer('sandbox', async () => {
      // It waits for us, not for the process: the sandboxer would give it time to take an exit code.
      this.#stub?.kill('SIGKILL');
      await this.#sandboxer.call('deleteContainer', remove);
    });
    const request = {
      id: key,
      name: id,
      spec: bundle.text,
      share: {
        directory: `/proc/${this.#sandbox?.stub?.pid ?? this.#stubPid()}/root${this.#shareDirectory()}`,
        folder: key,
        binds: this.#binds.map(({ mount, name }) => ({ mount, name })),
      },
      stub: { pid: this.#stubPid(), startTicks: stub?.startTime ?? '' },
      cgroupDirectories: [...cgroups.directories],
      ...(network && { network: network.network }),
      ...(this.#sandbox && { sandbox: this.#sandbox.key }),
      hookState: JSON.stringify(describeState(this.#state, 'created')),
    };
    await this.#sandboxer.call('createContainer', request, (client) =>
      client.call('deleteContainer', remove),
    );
  }

  /** From here on it is a container. The pid file comes last: engines take it for the sign that all is done. */
  finish(): void {
    this.#note({ phase: 'created' });
    this.#save();
    const { pidFile } = this.#request;
    if (pidFile !== undefined) replaceFile(pidFile, String(this.#stubPid()), PUBLIC_FILE_MODE);
  }

  /** Lets go of the sandboxer. */
  close(): void {
    this.#sandboxer.close();
  }

  #note(change: Partial<ContainerState>): void {
    this.#state = { ...this.#state, ...change };
  }

  /** Each time may wait for a disk; a stub ends with us, and so need not be on it until others may see it. */
  #save(): void {
    writeState(this.#folder, this.#state);
  }

  #stubPid(): number {
    return this.#stub?.pid ?? this.#state.stub?.pid ?? 0;
  }

  /** Where the folders of all containers of one sandbox are, in the namespace of its first stub. */
  #shareDirectory(): string {
    if (this.#sandbox === undefined) return this.#folder.share;
    return getContainerFolder(this.#request.context.root, this.#sandbox.id).share;
  }
}

function describeCgroups({ id, bundle, context }: CreateRequest): CgroupRequest {
  const { cgroupsPath, resources = {} } = bundle.spec.linux ?? {};
  const mayBeMissing = context.userId !== 0;
  return { cgroupsPath, id, resources, manager: context.cgroupManager, mayBeMissing };
}

function describeNew(request: CreateRequest, sandbox: ContainerState | undefined): ContainerState {
  const { id, bundle, context } = request;
  const { annotations = {}, hooks = {} } = bundle.spec;
  return {
    version: STATE_VERSION,
    id,
    key: createId(),
    phase: 'creating',
    creator: getOwnIdentity(),
    isPaused: false,
    bundle: bundle.directory,
    rootfs: bundle.rootfs,
    created: new Date().toISOString(),
    owner: context.environment['USER'] ?? (context.userId === 0 ? 'root' : String(context.userId)),
    annotations,
    cgroups: planHostCgroups(describeCgroups(request)),
    ...(sandbox && { sandbox: sandbox.id }),
    hooks: { poststart: hooks.poststart ?? [], poststop: hooks.poststop ?? [] },
  };
}

async function endStub(stub: Stub): Promise<void> {
  if (stub.pid === 0) return; // It could not be started.
  stub.kill('SIGKILL');
  await stub.exited;
}
