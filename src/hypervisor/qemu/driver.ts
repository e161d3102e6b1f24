import { setTimeout as delay } from 'node:timers/promises';
import { createGuestMemory, findIsolationObstacle } from '../../host/launcher.ts';
import { getOwnIdentity } from '../../host/process-identity.ts';
import type { MachineConfig } from '../../machine/machine-config.ts';
import { Cleanup } from '../../util/cleanup.ts';
import { toWardianError, WardianError } from '../../util/errors.ts';
import { markWhen, type Trace } from '../../util/trace.ts';
import { chooseAccelerator } from '../accelerator.ts';
import type {
  BootRequest,
  CloneRequest,
  ForkRequest,
  HypervisorDriver,
  VirtualMachineRecord,
} from '../driver.ts';
import type { DriverOptions, LoadedDriver } from '../driver-options.ts';
import { buildQemuArguments, type Start } from './arguments.ts';
import { type ConfinementOptions, DEFAULT_USER_RANGE, planConfinement } from './confinement.ts';
import { computeFingerprint } from './fingerprint.ts';
import { loadTscKhz } from './host-clock.ts';
import { loadHostCpu } from './host-cpu.ts';
import { findHostSide } from './host-side.ts';
import { findQemu, type QemuInstallation } from './installation.ts';
import { openMonitor, QemuMachine } from './machine.ts';
import { describeEnd, readLogTail, VMM_LOG } from './machine-log.ts';
import { probeKvm } from './probe-kvm.ts';
import {
  adoptQemu,
  type Confinement,
  type QemuProcess,
  type QemuStart,
  startQemu,
} from './process.ts';
import { findReplaced } from './replaced.ts';
import { forkQemu } from './stem.ts';

const NAME = 'qemu';
/** Sockets of a process that dies are closed before it is gone. */
const DYING_MS = 500;

/** Finds QEMU, chooses the accelerator, and readies the driver. */
export async function loadQemuDriver(options: DriverOptions): Promise<LoadedDriver> {
  const qemu = await findQemu(options.vmm?.path);
  const choice = await chooseAccelerator({
    requested: options.accelerator,
    cacheDirectory: options.cacheDirectory,
    vmmFingerprint: qemu.fingerprint,
    probe: () => probeKvm(qemu.path),
  });
  const tscKhz = await loadTscKhz(options.launcherPath, options.cacheDirectory);
  const unconfined = await findReasonNotToConfine(options);
  const confine = unconfined === undefined;
  const { accelerator } = choice;
  const hostCpu = accelerator === 'kvm' ? await loadHostCpu() : undefined;
  const setup = { options: { ...options, confine }, qemu, tscKhz, hostCpu, accelerator };
  const driver = createDriver(setup);
  const loaded = { driver, choice, version: qemu.version };
  return confine ? loaded : { ...loaded, unconfined };
}

/** Root fails aloud where it cannot confine; of everyone else the host may withhold what that takes. */
async function findReasonNotToConfine(options: DriverOptions): Promise<string | undefined> {
  if (options.confine === false) return 'confinement is switched off';
  if (isRoot()) return undefined;
  return await findIsolationObstacle(options.launcherPath);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

interface Setup {
  readonly options: DriverOptions;
  readonly qemu: QemuInstallation;
  readonly tscKhz: number;
  /** Where guests see it, which is under KVM. */
  readonly hostCpu: string | undefined;
  readonly accelerator: 'kvm' | 'tcg';
}

function createDriver(setup: Setup): HypervisorDriver {
  return {
    name: NAME,
    accelerator: setup.accelerator,
    capabilities: {
      cloning: true,
      forking: canFork(setup),
      diskHotplug: true,
      rootDiskExchange: true,
      pause: true,
    },
    fingerprint: computeFingerprint({ ...setup, qemuFingerprint: setup.qemu.fingerprint }),
    boot: (request) => boot(setup, request),
    clone: (request) => clone(setup, request),
    fork: (request) => fork(setup, request),
    adopt,
  };
}

/** Under KVM the machine belongs to the process that made it. */
function canFork({ qemu, accelerator }: Setup): boolean {
  return accelerator === 'tcg' && qemu.hasStems;
}

async function boot(setup: Setup, request: BootRequest): Promise<QemuMachine> {
  const cleanup = new Cleanup();
  try {
    if (!request.snapshotable) return await start(setup, request, { kind: 'boot' });
    const memory = await createGuestMemory(setup.options.launcherPath, request.config.memoryBytes);
    cleanup.defer('guest memory', () => memory.close());
    return await start(setup, request, { kind: 'boot-snapshotable' }, { memory });
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

async function clone(setup: Setup, request: CloneRequest): Promise<QemuMachine> {
  const { memory, statePath } = request.snapshot;
  const files = { memory, statePath };
  const machine = request.isStem
    ? await start(
        setup,
        request,
        { kind: 'stem' },
        { ...files, replaced: findReplaced(request.config) },
      )
    : await start(setup, request, { kind: 'clone' }, files);
  machine.restore(request.trace);
  return machine;
}

/** A fork has its own user and folder; its walls are those of its stem, of which it has its own copy. */
async function fork(setup: Setup, request: ForkRequest): Promise<QemuMachine> {
  const { id, directory, config, trace } = request;
  const { launcherPath } = setup.options;
  const hostSide = findHostSide(config, request.cgroupDirectories);
  const confinement = await planWalls(setup, request, { kind: 'clone' });
  const identity = await forkQemu({
    ...{ launcherPath, directory, confinement },
    stemDirectory: request.stem.directory,
    replaced: findReplaced(config),
    hostSide,
  });
  trace?.mark('sandboxer', 'VMM forked');
  const monitor = await openMonitor(directory);
  const process = adoptQemu(identity, monitor.closed);
  if (process === undefined) {
    monitor.close();
    const complaint = await readLogTail(directory, VMM_LOG);
    throw new WardianError('SANDBOX_DIED', `the forked machine ${id} has ended: ${complaint}`);
  }
  const { pid, startTime } = identity;
  const record = { driver: NAME, id, pid, pidStartTicks: startTime, directory };
  const isConfined = confinement !== undefined;
  const machine = new QemuMachine({ record, process, monitor, memory: undefined, isConfined });
  machine.connect(hostSide.taps);
  return machine;
}

interface StartRequest {
  readonly id: string;
  readonly directory: string;
  readonly config: MachineConfig;
  readonly cgroupDirectories?: readonly string[];
  readonly trace?: Trace | undefined;
}

async function start(
  setup: Setup,
  { id, directory, config, cgroupDirectories, trace }: StartRequest,
  kind: Start,
  files: Pick<QemuStart, 'memory' | 'statePath' | 'replaced'> = {},
): Promise<QemuMachine> {
  const { accelerator, tscKhz, qemu, options } = setup;
  const argv = buildQemuArguments({
    directory,
    qemuPath: qemu.path,
    firmwareDirectory: options.vmm?.firmwareDirectory,
    accelerator,
    config,
    start: kind,
    tscKhz,
  });
  const confinement = await planWalls(setup, { id, config }, kind);
  const { launcherPath } = options;
  const hostSide = findHostSide(config, cgroupDirectories);
  const vmm = await startQemu({ launcherPath, directory, argv, hostSide, confinement, ...files });
  const { pid, startTime } = vmm.identity;
  const record = { driver: NAME, id, pid, pidStartTicks: startTime, directory };
  try {
    trace?.mark('sandboxer', 'VMM started');
    const monitor = await openMonitor(directory);
    if (trace !== undefined) markWhen(monitor.ready, trace, 'VMM takes commands');
    const memory = kind.kind === 'boot-snapshotable' ? files.memory : undefined;
    const machine = new QemuMachine({
      ...{ record, process: vmm, monitor, memory },
      isConfined: confinement !== undefined,
    });
    machine.connect(hostSide.taps); // before a clone loads its state, after which it runs
    return machine;
  } catch (error) {
    throw await explainDeath(vmm, directory, error);
  }
}

async function planWalls(
  setup: Setup,
  { id, config }: Pick<StartRequest, 'id' | 'config'>,
  start: Start,
): Promise<Confinement | undefined> {
  // A template's guest is ours alone, and its VMM has to reach the socket that takes its state.
  if (setup.options.confine !== true || start.kind === 'boot-snapshotable') return undefined;
  const walls = await planConfinement(id, config, confinementOptions(setup, start));
  if (walls === undefined || start.kind !== 'stem') return walls;
  // So is a stem's, which has to give each fork a user of its own.
  const { user: _, ...withoutUser } = walls;
  return withoutUser;
}

/** A QEMU whose monitor cannot be reached has ended, or is ended now. */
async function explainDeath(
  vmm: QemuProcess,
  directory: string,
  cause: unknown,
): Promise<WardianError> {
  const end = await Promise.race([vmm.exited, delay(DYING_MS, undefined, { ref: false })]);
  vmm.kill();
  if (end === undefined) return toWardianError(cause);
  const how = describeEnd(end.exitCode, end.signal, false);
  const complaint = await readLogTail(directory, VMM_LOG);
  const message = complaint === '' ? how : `${how}: ${complaint}`;
  return new WardianError('HYPERVISOR_FAILED', message, { cause });
}

function confinementOptions(
  { options, qemu, accelerator }: Setup,
  { kind }: Start,
): ConfinementOptions {
  return {
    isRoot: isRoot(),
    userRange: DEFAULT_USER_RANGE,
    qemuPath: qemu.path,
    firmwareDirectory: options.vmm?.firmwareDirectory,
    accelerator,
    boots: kind !== 'clone' && kind !== 'stem',
    diskDirectories: options.diskDirectories,
  };
}

async function adopt(record: VirtualMachineRecord): Promise<QemuMachine> {
  const { pid, pidStartTicks, directory } = record;
  const identity = { pid, startTime: pidStartTicks, bootId: getOwnIdentity().bootId };
  const monitor = await openMonitor(directory);
  const adopted = adoptQemu(identity, monitor.closed);
  if (adopted === undefined) {
    monitor.close();
    throw new WardianError('SANDBOX_DIED', `the virtual machine ${record.id} has ended`);
  }
  const isConfined = false; // only chooses the words for a disk that cannot be read
  const machine = new QemuMachine({
    record,
    process: adopted,
    monitor,
    memory: undefined,
    isConfined,
  });
  await monitor.execute('query-status');
  return machine;
}
