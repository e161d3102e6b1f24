import { toWardianError, WardianError } from '../../util/errors.ts';
import { formatJson, parseJson } from './json.ts';
import { absolutePath, readIdMapping, readLinux, readResources } from './parse-linux.ts';
import {
  boolean,
  integer,
  line,
  list,
  matching,
  object,
  optional,
  required,
  table,
  text,
  unsigned32,
  unsigned64,
} from './readers.ts';
import type {
  Hook,
  Hooks,
  Mount,
  Process,
  ProcessCapabilities,
  ProcessRlimit,
  Resources,
  Root,
  Scheduler,
  Spec,
  User,
} from './types.ts';

/** podman's are about 20 KB, Kubernetes' with every profile below 200 KB. */
const MAXIMUM_SPEC_LENGTH = 4 * 1024 * 1024;
/** The kernel's own bounds: PATH_MAX, MAX_ARG_STRLEN, and ARG_MAX in entries of a few bytes. */
const MAXIMUM_PATH = 4096;
const MAXIMUM_ARGUMENT = 128 * 1024;
const MAXIMUM_ARGUMENTS = 65536;
const MAXIMUM_MOUNTS = 4096;
/** NGROUPS_MAX. */
const MAXIMUM_GROUPS = 65536;
const MAXIMUM_SMALL_LIST = 1024;
const MAXIMUM_WORD = 256;
/** A day: longer than any engine waits. */
const MAXIMUM_TIMEOUT_S = 24 * 3600;

/** What sethostname(2) is given in good faith; at most 64 characters. */
export const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const word = line(MAXIMUM_WORD);
const path = matching(/./, 'a path', MAXIMUM_PATH);
const argument = text(MAXIMUM_ARGUMENT);
const capabilityNames = list(word, MAXIMUM_SMALL_LIST);

const readUser = object<User>({
  uid: optional(unsigned32),
  gid: optional(unsigned32),
  umask: optional(integer(0, 0o777)),
  additionalGids: optional(list(unsigned32, MAXIMUM_GROUPS)),
});

const readProcess = object<Process>({
  terminal: optional(boolean),
  consoleSize: optional(
    object<{ height: number; width: number }>({
      height: required(integer(0, 65535)),
      width: required(integer(0, 65535)),
    }),
  ),
  user: optional(readUser),
  args: optional(list(argument, MAXIMUM_ARGUMENTS)),
  env: optional(list(argument, MAXIMUM_ARGUMENTS)),
  cwd: required(absolutePath),
  capabilities: optional(
    object<ProcessCapabilities>({
      bounding: optional(capabilityNames),
      effective: optional(capabilityNames),
      inheritable: optional(capabilityNames),
      permitted: optional(capabilityNames),
      ambient: optional(capabilityNames),
    }),
  ),
  rlimits: optional(
    list(
      object<ProcessRlimit>({
        type: required(word),
        soft: required(unsigned64),
        hard: required(unsigned64),
      }),
      MAXIMUM_SMALL_LIST,
    ),
  ),
  noNewPrivileges: optional(boolean),
  apparmorProfile: optional(line(MAXIMUM_PATH)),
  selinuxLabel: optional(line(MAXIMUM_PATH)),
  oomScoreAdj: optional(integer(-1000, 1000)),
  scheduler: optional(
    object<Scheduler>({
      policy: required(word),
      nice: optional(integer(-20, 19)),
      priority: optional(integer(-0x8000_0000, 0x7fff_ffff)),
      flags: optional(list(word, MAXIMUM_SMALL_LIST)),
      runtime: optional(unsigned64),
      deadline: optional(unsigned64),
      period: optional(unsigned64),
    }),
  ),
  ioPriority: optional(
    object<NonNullable<Process['ioPriority']>>({
      class: required(word),
      priority: optional(integer(0, 7)),
    }),
  ),
  execCPUAffinity: optional(
    object<{ initial?: string; final?: string }>({
      initial: optional(word),
      final: optional(word),
    }),
  ),
});

const readMount = object<Mount>({
  destination: required(path),
  type: optional(word),
  source: optional(line(MAXIMUM_PATH)),
  options: optional(list(line(MAXIMUM_PATH), MAXIMUM_SMALL_LIST)),
  uidMappings: optional(list(readIdMapping, MAXIMUM_SMALL_LIST)),
  gidMappings: optional(list(readIdMapping, MAXIMUM_SMALL_LIST)),
});

const readHooks = list(
  object<Hook>({
    path: required(absolutePath),
    args: optional(list(argument, MAXIMUM_SMALL_LIST)),
    env: optional(list(argument, MAXIMUM_SMALL_LIST)),
    timeout: optional(integer(1, MAXIMUM_TIMEOUT_S)),
  }),
  MAXIMUM_SMALL_LIST,
);

const readSpec = object<Spec>({
  ociVersion: required(matching(/^1\.\d{1,4}\.\d{1,4}/, 'a version 1.x.y', MAXIMUM_WORD)),
  root: optional(object<Root>({ path: required(path), readonly: optional(boolean) })),
  process: optional(readProcess),
  hostname: optional(matching(HOST_NAME, 'a host name', 64)),
  domainname: optional(matching(/^[A-Za-z0-9(][A-Za-z0-9._()-]*$/, 'a domain name', 64)),
  mounts: optional(list(readMount, MAXIMUM_MOUNTS)),
  hooks: optional(
    object<Hooks>({
      prestart: optional(readHooks),
      createRuntime: optional(readHooks),
      createContainer: optional(readHooks),
      startContainer: optional(readHooks),
      poststart: optional(readHooks),
      poststop: optional(readHooks),
    }),
  ),
  annotations: optional(
    table(matching(/./, 'a name', MAXIMUM_PATH), text(1024 * 1024), MAXIMUM_MOUNTS),
  ),
  linux: optional(readLinux),
});

/**
 * Reads a config.json that nobody has checked before. Every length and count is bounded, unknown
 * properties are dropped. Fails with SPEC_INVALID, which names the place (`process.rlimits[3].type`).
 */
export function parseSpec(json: string): Spec {
  return checkSpec(parsePart(json, 'config.json'));
}

/** What `parseSpec` does to a value that is no text any more. */
export function checkSpec(value: unknown): Spec {
  return readSpec(value, '');
}

/** Reads the process of an exec, which is a `process` of config.json, in the same manner. */
export function parseProcess(json: string): Process {
  return readProcess(parsePart(json, 'process'), 'process');
}

/** Reads the `linux.resources` of an update. */
export function parseResources(json: string): Resources {
  return readResources(parsePart(json, 'linux.resources'), 'linux.resources');
}

/** Writes a spec as JSON; `parseSpec` reads it back to the same value. */
export function formatSpec(spec: Spec): string {
  return formatJson(spec);
}

function parsePart(json: string, what: string): unknown {
  if (json.length > MAXIMUM_SPEC_LENGTH) {
    throw new WardianError('SPEC_INVALID', `${what} is larger than ${MAXIMUM_SPEC_LENGTH} bytes`);
  }
  try {
    return parseJson(json);
  } catch (thrown) {
    const error = toWardianError(thrown);
    throw new WardianError('SPEC_INVALID', `${what} is not JSON: ${error.message}`);
  }
}
