/** A bundle that cannot be run, and how its failure is told. */
export interface BadBundle {
  readonly name: string;
  /** Text of config.json; absent: there is none. */
  readonly config: string | undefined;
  readonly message: RegExp;
}

/** A bundle that is odd, and runs. */
export interface OddBundle {
  readonly name: string;
  readonly config: string;
}

type Json = Record<string, unknown>;

/** What a case can change of a sound configuration. */
interface Changes {
  readonly spec?: Json;
  readonly process?: Json;
  readonly linux?: Json;
  readonly namespaces?: readonly Json[];
  readonly mounts?: readonly Json[];
  readonly resources?: Json;
}

const NAMESPACES = ['mount', 'pid', 'network', 'ipc', 'uts'].map((type) => ({ type }));
const PROC = { destination: '/proc', type: 'proc', source: 'proc' };
const DEV = { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] };
const tmpfs = (destination: string, ...options: string[]) => ({
  ...{ destination, type: 'tmpfs', source: 'tmpfs', options },
});
const bind = (destination: string, source: string, ...options: string[]) => ({
  ...{ destination, source, type: 'bind', options: ['rbind', ...options] },
});

/** Every case on a root file system, which must have bin/true, a link "loop" to itself, and a cgroup path. */
export function listBadBundles(rootfs: string, cgroupsPath: string): BadBundle[] {
  const make = createMaker(rootfs, cgroupsPath);
  const bad = (name: string, changes: Changes, message: RegExp): BadBundle => ({
    ...{ name, config: make(changes), message },
  });
  const raw = (name: string, config: string | undefined, message: RegExp): BadBundle => ({
    ...{ name, config, message },
  });
  const hook = (stage: string, hooks: Json): Changes => ({ spec: { hooks: { [stage]: [hooks] } } });
  return [
    raw('no config.json', undefined, /config\.json: no such file or directory/),
    raw('empty', '', /config\.json is not JSON/),
    raw('cut off', make({}).slice(0, 100), /config\.json is not JSON: .* at offset \d+/),
    raw('no object', '[]', /config\.json is a list, not an object/),
    raw('binary', '\0\u0001\u0002', /config\.json is not JSON/),
    raw('20 MB', `{"x":"${'a'.repeat(20_000_000)}"}`, /has \d+ bytes, more than \d+/),
    raw('deep', '['.repeat(100_000), /no more than 32 levels of nesting/),
    raw('one name twice', '{"a":1,"a":2}', /no second "a"/),
    raw('nothing but a version', '{"ociVersion":"1.0.2"}', /root\.path is missing/),
    bad('no version', { spec: { ociVersion: undefined } }, /ociVersion is missing/),
    bad('version 2', { spec: { ociVersion: '2.0.0' } }, /ociVersion is "2\.0\.0"/),
    bad('a word as version', { spec: { ociVersion: 'new' } }, /ociVersion is "new"/),
    bad('no process', { spec: { process: undefined } }, /process is missing/),
    bad('no root', { spec: { root: undefined } }, /root\.path is missing/),
    bad('root not there', { spec: { root: { path: 'none' } } }, /no such file or directory/),
    bad('root is a file', { spec: { root: { path: 'config.json' } } }, /is not a folder/),
    bad('root is a loop', { spec: { root: { path: 'loop' } } }, /too many levels of symbolic/),
    bad('root of the host', { spec: { root: { path: '/' } } }, /host's own root file system/),
    bad('NUL in a path', { spec: { root: { path: 'a\0b' } } }, /contains a NUL character/),
    bad('long path', { spec: { root: { path: 'a/'.repeat(3000) } } }, /6000 characters long/),
    bad(
      'unknown namespace',
      { namespaces: [{ type: 'galaxy' }] },
      /\.type is "galaxy", not one of/,
    ),
    bad('namespace twice', { namespaces: [{ type: 'pid' }] }, /names "pid" twice/),
    bad('namespace of nothing', network('/no/such'), /\/no\/such: No such file or directory/),
    bad('namespace of a file', network('/etc/passwd'), /\/etc\/passwd: Invalid argument/),
    bad('user namespace', { namespaces: [{ type: 'user' }] }, /a user namespace/),
    bad('host network', { linux: { namespaces: withoutType('network') } }, /host's own network/),
    bad('host processes', { linux: { namespaces: withoutType('pid') } }, /processes of the host/),
    bad('no arguments', { process: { args: [] } }, /process\.args is empty/),
    bad('an empty word', { process: { args: [''] } }, /process\.args\[0\]/),
    bad('arguments as text', { process: { args: 'true' } }, /process\.args is "true", not a list/),
    bad('100 000 arguments', { process: { args: Array(100_000).fill('x') } }, /at most 65536/),
    bad('no such command', { process: { args: ['/no/such'] } }, /no such file or directory/),
    bad('command is a folder', { process: { args: ['/bin'] } }, /permission denied/i),
    bad('relative folder', { process: { cwd: 'work' } }, /cwd is "work", not an absolute path/),
    bad(
      'folder is a file',
      { process: { cwd: '/bin/busybox' } },
      /\/bin\/busybox: Not a directory/,
    ),
    bad('negative limit', rlimit(-1, -1), /rlimits\[0\]\.soft is -1, not a whole number/),
    bad('limit above itself', rlimit(5, 1), /is 5, above the hard limit 1/),
    bad('user as text', { process: { user: 'root' } }, /process\.user is "root", not an object/),
    bad('user by name', { process: { user: { uid: 'root', gid: 0 } } }, /user\.uid is "root"/),
    bad('negative user', { process: { user: { uid: -1, gid: 0 } } }, /user\.uid is -1/),
    bad('wide umask', { process: { user: { uid: 0, gid: 0, umask: 999 } } }, /umask is 999/),
    bad('relative hook', hook('prestart', { path: 'bin/true' }), /not an absolute path/),
    bad(
      'no such hook',
      hook('createRuntime', { path: '/none' }),
      /createRuntime hook #0 \(\/none\)/,
    ),
    bad('failing hook', hook('prestart', { path: '/bin/false' }), /prestart hook #0 .* status 1/),
    bad('failing hook in a namespace', hook('createContainer', { path: '/bin/false' }), /status 1/),
    bad(
      'failing hook in the guest',
      hook('startContainer', { path: '/bin/false' }),
      /\/bin\/false/,
    ),
    bad('slow hook', hook('prestart', sleepingHook()), /did not end within 1 s/),
    bad('negative time', hook('prestart', { path: '/bin/true', timeout: -1 }), /timeout is -1/),
    bad('bind of nothing', { mounts: [bind('/mnt', '/no/such')] }, /\/no\/such/),
    bad('mount on the root', { mounts: [tmpfs('/')] }, /would cover the root of the container/),
    bad('mount on a loop', { mounts: [tmpfs('/loop/x')] }, /\/loop\/x: Symbolic link loop/),
    bad('mount on a file', { mounts: [tmpfs('/bin/busybox')] }, /\/bin\/busybox: Not a directory/),
    bad('unknown file system', { mounts: [{ ...PROC, type: 'nofs' }] }, /of type "nofs"/),
    bad('malformed option', { mounts: [tmpfs('/mnt', 'size=many')] }, /Invalid argument/),
    bad('control character', { mounts: [tmpfs('/mnt', 'size=1k\nro')] }, /control character/),
    bad('10 000 mounts', { mounts: Array(10_000).fill(tmpfs('/mnt')) }, /mounts has \d+ entries/),
    bad('negative memory', { resources: { memory: { limit: -5 } } }, /memory\.limit is -5/),
    bad('a byte of memory', { resources: { memory: { limit: 1 } } }, /could be too low/),
    bad('memory as text', { resources: { memory: { limit: '1g' } } }, /limit is "1g"/),
    raw('memory beyond 64 bits', hugeMemory(make), /limit is 1180591620717411303424/),
    bad('swap below memory', { resources: { memory: { limit: 1e9, swap: 1e8 } } }, /memory\.swap/),
    bad('no time at all', { resources: { cpu: { quota: 1 } } }, /cpu\.quota/),
    bad('CPUs as a word', { resources: { cpu: { cpus: 'all' } } }, /cpus is "all"/),
    bad('CPUs not there', { resources: { cpu: { cpus: '4000' } } }, /cpu\.cpus.* 4000/),
    bad('unified with a path', { resources: { unified: { '../x': '1' } } }, /not a cgroup file/),
    bad('top of the cgroups', { linux: { cgroupsPath: '/' } }, /the top of all cgroups/),
    bad('line in a cgroup', { linux: { cgroupsPath: '/a\nb' } }, /control character/),
    bad('long host name', { spec: { hostname: 'a'.repeat(65) } }, /hostname is 65 characters/),
    bad('escape in a host name', { spec: { hostname: 'a\u001b[2J' } }, /control character/),
    bad('seccomp action', seccomp('SCMP_ACT_PARTY'), /defaultAction is "SCMP_ACT_PARTY"/),
    bad('seccomp supervisor', seccomp('SCMP_ACT_NOTIFY'), /needs a supervisor/),
    bad('unknown sysctl', { linux: { sysctl: { 'no.such': '1' } } }, /cannot set no\.such/),
    bad('path as sysctl', { linux: { sysctl: { '../../etc': '1' } } }, /not the name of a sysctl/),
    bad(
      'disk of the host',
      device({ path: '/dev/sda', type: 'b', major: 8 }),
      /a device of the host/,
    ),
    bad('unknown device', device({ path: '/dev/x', type: 'z' }), /type is "z"/),
    bad('propagation', { linux: { rootfsPropagation: 'up' } }, /rootfsPropagation is "up"/),
    bad('annotation', { spec: { annotations: { a: 1 } } }, /annotations\["a"\] is 1/),
  ];
}

/** What looks wrong and is not, or is none of our business: crun runs these as well. */
export function listOddBundles(rootfs: string, cgroupsPath: string): OddBundle[] {
  const make = createMaker(rootfs, cgroupsPath);
  const odd = (name: string, changes: Changes): OddBundle => ({ name, config: make(changes) });
  const hooks = { poststart: [{ path: '/bin/false' }], poststop: [{ path: '/bin/false' }] };
  return [
    odd('a version to come', { spec: { ociVersion: '1.99.0' } }),
    odd('an unknown property', { spec: { galaxies: [{}] } }),
    odd('an unknown capability', { process: { capabilities: { bounding: ['CAP_FLY'] } } }),
    odd('variables without names', { process: { env: ['=x', 'NOTHING', 'PATH=/bin'] } }),
    odd('a folder above the root', { process: { cwd: '/../../..' } }),
    odd('a mount above the root', { mounts: [tmpfs('/../../mnt')] }),
    odd('a relative mount', { mounts: [tmpfs('mnt')] }),
    odd('a mount through a link', { mounts: [tmpfs('/out/x')] }),
    odd('a root within itself', { mounts: [bind('/mnt', rootfs), bind('/mnt/mnt', rootfs)] }),
    odd('more memory than there is', { resources: { memory: { limit: 2 ** 53 - 1 } } }),
    odd('more CPUs than there are', { resources: { cpu: { quota: 1e8, period: 1e5 } } }),
    odd('a cgroup above the top', { linux: { cgroupsPath: `/../..${cgroupsPath}` } }),
    odd('failing hooks that only watch', { spec: { hooks } }),
  ];
}

function createMaker(rootfs: string, cgroupsPath: string): (changes: Changes) => string {
  return ({ spec, process, linux, namespaces = [], mounts = [], resources }) =>
    JSON.stringify({
      ociVersion: '1.0.2',
      root: { path: rootfs },
      process: { cwd: '/', env: ['PATH=/bin'], args: ['true'], ...process },
      mounts: [PROC, DEV, ...mounts],
      linux: {
        namespaces: [...NAMESPACES, ...namespaces],
        cgroupsPath,
        ...(resources && { resources }),
        ...linux,
      },
      ...spec,
    });
}

function withoutType(left: string): Json[] {
  return NAMESPACES.filter(({ type }) => type !== left);
}

function network(path: string): Changes {
  return { linux: { namespaces: [...withoutType('network'), { type: 'network', path }] } };
}

function rlimit(soft: number, hard: number): Changes {
  return { process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft, hard }] } };
}

function seccomp(defaultAction: string): Changes {
  return { linux: { seccomp: { defaultAction } } };
}

function device(device: Json): Changes {
  return { linux: { devices: [{ minor: 0, ...device }] } };
}

function sleepingHook(): Json {
  return { path: '/bin/sleep', args: ['sleep', '61'], timeout: 1 };
}

/** JSON.stringify would round it. */
function hugeMemory(make: (changes: Changes) => string): string {
  return make({ resources: { memory: { limit: 12345 } } }).replace(
    '12345',
    '1180591620717411303424',
  );
}
