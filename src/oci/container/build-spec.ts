import { posix } from 'node:path';
import { WardianError } from '../../util/errors.ts';
import { checkSpec, HOST_NAME } from '../runtime-spec/parse.ts';
import type {
  Linux,
  Process,
  ProcessCapabilities,
  Resources,
  Spec,
} from '../runtime-spec/types.ts';
import { defaultSeccomp } from '../seccomp/default-profile.ts';
import { type ResolvedUser, resolveUser } from '../user-database.ts';
import { assembleCommand } from './command.ts';
import type { ContainerInput, ContainerRequest, TerminalSize } from './container-input.ts';
import { assembleMounts } from './default-mounts.ts';
import { assembleEnvironment } from './environment.ts';

const OCI_VERSION = '1.2.0';

/** podman's eleven: what a root user of an ordinary image needs to set itself up. */
const DEFAULT_CAPABILITIES = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL'],
  ...['CAP_NET_BIND_SERVICE', 'CAP_SETFCAP', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID'],
  'CAP_SYS_CHROOT',
];

export const MASKED_PATHS = [
  ...['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug'],
  ...['/proc/scsi', '/proc/timer_list', '/proc/timer_stats', '/sys/dev/block'],
  ...['/sys/devices/virtual/powercap', '/sys/firmware', '/sys/fs/selinux'],
];

export const READONLY_PATHS = [
  ...['/proc/asound', '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
];

const DEFAULT_UMASK = 0o022;
const DEFAULT_PIDS = 2048;
const DEFAULT_OPEN_FILES = 1_048_576n;
const DEFAULT_PROCESSES = 4_194_304n;
const CPU_PERIOD_MICROSECONDS = 100_000n;
/** Twelve digits of an id are what people see of a container. */
const SHORT_ID_LENGTH = 12;

/**
 * Builds the specification of a container from what was asked for, its image and the image's users, with
 * podman's defaults. Fails with USAGE, or USER_NOT_FOUND for a name that the image does not have.
 */
export function buildSpec(input: ContainerInput): Spec {
  const { request, image, users } = input;
  const user = resolveUser(request.user ?? image.user, users);
  const hostname = containerHostname(request);
  // Requests come over a socket and images from anywhere: what they bring is checked like any specification.
  return checkSpec({
    ociVersion: OCI_VERSION,
    root: { path: 'rootfs', readonly: request.readOnly },
    process: buildProcess(input, user, hostname),
    hostname,
    mounts: assembleMounts(request),
    annotations: { ...image.labels, ...request.labels },
    linux: buildLinux(request),
  } satisfies Spec);
}

/** What a container calls itself. Fails with USAGE when that is no host name. */
export function containerHostname({
  id,
  hostname = id.slice(0, SHORT_ID_LENGTH),
}: Pick<ContainerRequest, 'id' | 'hostname'>): string {
  if (HOST_NAME.test(hostname)) return hostname;
  const shown = JSON.stringify(hostname.slice(0, 80));
  throw new WardianError('USAGE', `${shown} is not a host name`, {
    hint: 'use up to 64 letters, digits, dots and hyphens',
  });
}

/** Root has the container's capabilities at once, others only as far as a file or set-uid gives them. */
export function capabilitiesOf(uid: number, bounding: string[]): ProcessCapabilities {
  const held = uid === 0 ? bounding : [];
  return { bounding, effective: held, permitted: held, inheritable: [], ambient: [] };
}

/** The specification's words for a terminal's size. */
export function consoleSize(
  size: TerminalSize | undefined,
): { consoleSize: { height: number; width: number } } | Record<never, never> {
  return size === undefined ? {} : { consoleSize: { height: size.rows, width: size.columns } };
}

/** `path` as an absolute working directory, as seen from `base`. */
export function resolveWorkingDirectory(path: string, base: string): string {
  return posix.resolve('/', base, path);
}

function buildProcess(input: ContainerInput, user: ResolvedUser, hostname: string): Process {
  const { request, image } = input;
  const { uid, gid, additionalGids, home } = user;
  return {
    terminal: request.terminal,
    ...consoleSize(request.terminalSize),
    user: { uid, gid, umask: DEFAULT_UMASK, additionalGids },
    args: assembleCommand(input),
    env: assembleEnvironment(input, { hostname, home }),
    cwd: resolveWorkingDirectory(request.workingDirectory ?? image.workingDirectory, '/'),
    capabilities: capabilitiesOf(uid, DEFAULT_CAPABILITIES),
    rlimits: [
      { type: 'RLIMIT_NOFILE', soft: DEFAULT_OPEN_FILES, hard: DEFAULT_OPEN_FILES },
      { type: 'RLIMIT_NPROC', soft: DEFAULT_PROCESSES, hard: DEFAULT_PROCESSES },
    ],
    noNewPrivileges: false,
    oomScoreAdj: 0,
  };
}

function buildLinux(request: ContainerRequest): Linux {
  return {
    resources: buildResources(request.limits),
    namespaces: [
      { type: 'pid' },
      { type: 'network' },
      { type: 'ipc' },
      { type: 'uts' },
      { type: 'mount' },
      { type: 'cgroup' },
    ],
    seccomp: defaultSeccomp(DEFAULT_CAPABILITIES),
    maskedPaths: MASKED_PATHS,
    readonlyPaths: READONLY_PATHS,
  };
}

function buildResources({ cpus, memoryBytes, pids }: ContainerRequest['limits']): Resources {
  return {
    pids: { limit: BigInt(checkLimit('--pids-limit', pids ?? DEFAULT_PIDS)) },
    ...(memoryBytes === undefined
      ? {}
      : { memory: { limit: BigInt(checkLimit('--memory', memoryBytes)) } }),
    ...(cpus === undefined ? {} : { cpu: cpuShare(cpus) }),
  };
}

function cpuShare(cpus: number): { quota: bigint; period: bigint } {
  const quota = Math.round(cpus * Number(CPU_PERIOD_MICROSECONDS));
  // The kernel refuses less than a millisecond (min_bw_runtime_us), which is 0.01 CPUs.
  if (!(quota >= 1000 && Number.isSafeInteger(quota))) {
    throw new WardianError('USAGE', `${cpus} is not a number of CPUs`, {
      hint: 'give 0.01 or more',
    });
  }
  return { quota: BigInt(quota), period: CPU_PERIOD_MICROSECONDS };
}

function checkLimit(flag: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= -1) return value;
  throw new WardianError('USAGE', `${flag} is ${value}, not a whole number`);
}
