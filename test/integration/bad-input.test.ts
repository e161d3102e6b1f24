import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { findDirectories } from '../../src/host/directories.ts';
import { assertNothingLeft } from '../support/nothing-left.ts';
import {
  addBlob,
  addImage,
  addIndex,
  makeArchive,
  makeLayer,
  makeLayout,
  makeTar,
  type TestFiles,
  type TestLayer,
} from '../support/oci-layout.ts';
import { type CommandResult, TestHost } from '../support/test-host.ts';

interface BadCommand {
  readonly name: string;
  readonly command: readonly string[];
  readonly stdin?: Buffer;
  readonly exitCode?: number;
  readonly message: RegExp;
  /** When what the hint says matters; there must be one in any case. */
  readonly hint?: RegExp;
}

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'mounting and giving folders away need root';

function assertRefused(result: CommandResult, expected: BadCommand): void {
  const { stderr, stdout, exitCode } = result;
  assert.equal(exitCode, expected.exitCode ?? 125, stderr);
  assert.match(stderr, expected.message);
  assert.match(stderr, expected.hint ?? /\n {2}hint: \S/);
  assert.match(stderr, /^wardian: /m);
  assert.doesNotMatch(stderr, /this is a bug|\n\s+at /);
  assert.equal(stdout, '');
}

const RUN = ['run', '--rm'];

/** What people get wrong on the command line. */
const COMMAND_LINES: readonly BadCommand[] = [
  {
    name: 'an unknown command',
    command: ['rnu', 'busybox'],
    message: /"rnu" is not a command/,
    hint: /hint: did you mean: wardian run/,
  },
  {
    name: 'an unknown flag',
    command: ['run', '--nmae', 'x', 'busybox'],
    message: /unknown flag --nmae/,
    hint: /hint: did you mean --name\?/,
  },
  {
    name: 'a flag that podman has',
    command: ['run', '-v', '/a:/b', 'busybox'],
    message: /-v/,
  },
  { name: 'no image', command: ['run'], message: /run needs IMAGE/ },
  {
    name: 'an unknown image',
    command: [...RUN, 'nosuch', 'true'],
    message: /no image is called "nosuch"/,
    hint: /hint: .*wardian images.*wardian load/,
  },
  { name: 'an impossible image name', command: [...RUN, 'UPPER:', 'true'], message: /UPPER/ },
  {
    name: 'a missing command',
    command: [...RUN, 'busybox', 'nosuch'],
    exitCode: 127,
    message: /executable file "nosuch" not found in \$PATH/,
  },
  {
    name: 'a missing path',
    command: [...RUN, 'busybox', '/no/such'],
    exitCode: 127,
    message: /\/no\/such/,
  },
  {
    name: 'a folder for a command',
    command: [...RUN, 'busybox', '/etc'],
    exitCode: 126,
    message: /"\/etc" cannot be run/,
  },
  {
    name: 'a file that is no program',
    command: [...RUN, 'busybox', '/etc/passwd'],
    exitCode: 126,
    message: /"\/etc\/passwd" cannot be run/,
  },
  {
    name: 'an unknown user',
    command: [...RUN, '-u', 'nobodyelse', 'busybox', 'true'],
    message: /no user "nobodyelse"/,
  },
  {
    name: 'an unknown group',
    command: [...RUN, '-u', '0:nogroupatall', 'busybox', 'true'],
    message: /no group "nogroupatall"/,
  },
  {
    name: 'a user id beyond all',
    command: [...RUN, '-u', '99999999999', 'busybox', 'true'],
    message: /99999999999/,
  },
  {
    name: 'a name that is none',
    command: [...RUN, '--name', '../x', 'busybox', 'true'],
    message: /container name "\.\.\/x" is not allowed/,
  },
  {
    name: 'a host name that is none',
    command: [...RUN, '-h', 'a b', 'busybox', 'true'],
    message: /"a b" is not a host name/,
  },
  {
    name: 'a variable without a name',
    command: [...RUN, '-e', '=x', 'busybox', 'true'],
    message: /"=x" names no variable/,
  },
  {
    name: 'a file of variables that is not there',
    command: [...RUN, '--env-file', '/no/such', 'busybox', 'true'],
    message: /cannot read \/no\/such/,
  },
  {
    name: 'a tmpfs without a path',
    command: [...RUN, '--tmpfs', 'rel', 'busybox', 'true'],
    message: /"rel" is not an absolute path/,
  },
  {
    name: 'a tmpfs option that the kernel refuses',
    command: [...RUN, '--tmpfs', '/x:bogus=1', 'busybox', 'true'],
    message: /cannot mount tmpfs on \/x/,
  },
  {
    name: 'a signal that is none',
    command: [...RUN, '--stop-signal', 'FOO', 'busybox', 'true'],
    message: /"FOO" is not a signal/,
  },
  {
    name: 'a network that is not there yet',
    command: [...RUN, '--network', 'host', 'busybox', 'true'],
    message: /--network host is not supported/,
  },
  {
    name: 'more memory than this host has',
    command: [...RUN, '--memory', '300g', 'busybox', 'true'],
    message: /cannot have 307200 MiB of memory: this host has \d+ MiB/,
  },
  {
    name: 'too little memory',
    command: [...RUN, '--memory', '1', 'busybox', 'true'],
    message: /memory limit in bytes must be a number from/,
  },
  {
    name: 'memory that is no size',
    command: [...RUN, '-m', 'lots', 'busybox', 'true'],
    message: /--memory cannot be "lots"/,
  },
  {
    name: 'too many CPUs',
    command: [...RUN, '--cpus', '65', 'busybox', 'true'],
    message: /cannot have 65 CPUs/,
  },
  {
    name: 'no CPU',
    command: [...RUN, '--cpus', '0', 'busybox', 'true'],
    message: /--cpus cannot be "0"/,
  },
  {
    name: 'detach keys that are none',
    command: [...RUN, '--detach-keys', 'xx', 'busybox', 'true'],
    message: /"xx" is not a key/,
  },
  ...['exec', 'logs', 'attach', 'stop', 'kill', 'wait'].map((verb) => ({
    name: `${verb} of a container that is not there`,
    command: verb === 'exec' ? [verb, 'nosuch', 'true'] : [verb, 'nosuch'],
    message: /no .*"?nosuch"?/,
  })),
  {
    name: 'rm of a container that is not there',
    command: ['rm', 'nosuch'],
    exitCode: 1,
    message: /no container with name or id "nosuch"/,
  },
  {
    name: 'rmi of an image that is not there',
    command: ['rmi', 'nosuch'],
    exitCode: 1,
    message: /nosuch/,
  },
  {
    name: 'load of a file that is not there',
    command: ['load', '-i', '/no/such'],
    message: /\/no\/such is not there/,
  },
];

const FILE = { name: 'file', content: 'content' };

function archive(layer: TestLayer, damage: (files: TestFiles) => void = () => {}): Buffer {
  const files = makeLayout({ layers: [layer], refName: 'hostile' });
  damage(files);
  return makeArchive(files);
}

/** A layer whose blob is not what its media type or its diff id say. */
function falseLayer(blob: Buffer, compression: 'gzip' | 'zstd'): TestLayer {
  const layer = makeLayer(makeTar([FILE]));
  return { ...layer, blob, mediaType: layer.mediaType.replace('gzip', compression) };
}

function hostile(...entries: Parameters<typeof makeTar>[0]): Buffer {
  return archive(makeLayer(makeTar(entries)));
}

function damageBlob(files: TestFiles, layer: TestLayer): void {
  const [name] = [...files].find(([, data]) => data.equals(layer.blob)) ?? [''];
  files.set(name, Buffer.from(layer.blob.map((byte, index) => (index === 40 ? byte ^ 1 : byte))));
}

const GZIPPED = gzipSync(makeTar([{ name: 'random', content: Buffer.alloc(99_000, 'abcdefg') }]));
const PLAIN = makeLayer(makeTar([FILE]), 'none');
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const DAMAGED_HINT = /hint: .*damaged/;

/** Archives that are damaged or mean harm. All come on standard input. */
const ARCHIVES: readonly Omit<BadCommand, 'command'>[] = [
  {
    name: 'nothing',
    stdin: Buffer.alloc(0),
    message: /neither an OCI layout nor a docker archive/,
  },
  { name: 'noise', stdin: Buffer.alloc(9000, 'noise'), message: /not a tar archive/ },
  {
    name: 'an archive that is cut',
    stdin: archive(PLAIN).subarray(0, 2700),
    message: /ends within/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'gzip that is cut',
    stdin: archive(falseLayer(GZIPPED.subarray(0, GZIPPED.length / 2), 'gzip')),
    message: /damaged or truncated gzip data/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'zstd that is none',
    stdin: archive(falseLayer(Buffer.concat([ZSTD_MAGIC, Buffer.alloc(99, 'x')]), 'zstd')),
    message: /damaged or truncated zstd data/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'a blob that is not what its digest says',
    stdin: archive(PLAIN, (files) => damageBlob(files, PLAIN)),
    message: /sha256|digest/,
    hint: DAMAGED_HINT,
  },
  {
    name: 'a layer that is not what its diff id says',
    stdin: archive({ ...PLAIN, diffId: makeLayer(makeTar([])).diffId }),
    message: /diff|digest|content/i,
  },
  {
    name: 'an index that is not JSON',
    stdin: archive(PLAIN, (files) => files.set('index.json', Buffer.from('{"a":'))),
    message: /index\.json is not JSON/,
  },
  {
    name: 'an index of something else',
    stdin: archive(PLAIN, (files) => files.set('index.json', Buffer.from('[1,2]'))),
    message: /index\.json/,
  },
  {
    name: 'a configuration of something else',
    stdin: (() => {
      const files: TestFiles = new Map();
      const image = addImage(files, { layers: [PLAIN] });
      const config = addBlob(files, Buffer.from('"x"'), 'application/vnd.oci.image.config.v1+json');
      const manifest = JSON.parse(String(files.get(`blobs/sha256/${image.digest.slice(7)}`)));
      const changed = Buffer.from(JSON.stringify({ ...manifest, config }));
      addIndex(files, [addBlob(files, changed, image.mediaType)]);
      return makeArchive(files);
    })(),
    message: /config/,
  },
  {
    name: 'a path that climbs out',
    stdin: hostile({ name: '../../../../tmp/wardian-evil', content: 'evil' }),
    message: /leads out of its folder/,
  },
  {
    name: 'a hard link that climbs out',
    stdin: hostile({ name: 'shadow', type: '1', linkName: '../../etc/shadow' }),
    message: /leads out of its folder/,
  },
  {
    name: 'a hard link to nothing',
    stdin: hostile({ name: 'link', type: '1', linkName: 'none' }),
    message: /link/,
  },
  {
    name: 'a file that says it is huge',
    stdin: hostile({ name: 'huge', content: 'small', size: 2 ** 32 }),
    message: /ends within|damaged/,
  },
  {
    name: 'a bomb',
    stdin: archive(falseLayer(makeBomb(), 'gzip')),
    message: /expands to more than 500 times its size/,
    hint: /hint: it may be made to fill your disk/,
  },
];

/** A megabyte that unpacks to one file of more than a gigabyte of zeros. */
function makeBomb(): Buffer {
  const part = Buffer.alloc(64 * 2 ** 20);
  const parts = 20;
  const header = makeTar([{ name: 'zeros', size: parts * part.length }]).subarray(0, 512);
  return Buffer.concat([gzipSync(header), ...Array<Buffer>(parts).fill(gzipSync(part))]);
}

describe('mistakes on the command line', () => {
  let host: TestHost;
  before(() => {
    host = new TestHost();
  });
  after(() => host.close());

  for (const entry of COMMAND_LINES) {
    it(entry.name, async () => {
      assertRefused(await host.wardian(entry.command), entry);
      assertNothingLeft(host);
    });
  }

  it('a name that is taken', async () => {
    await host.succeed(['run', '-d', '--name', 'taken', 'busybox', 'sleep', '600']);
    const again = await host.wardian(['run', '--name', 'taken', 'busybox', 'true']);
    assertRefused(again, {
      name: '',
      command: [],
      message: /the name taken is used by container [0-9a-f]{12}/,
      hint: /hint: choose another name, or remove that container: wardian rm taken/,
    });
    const removed = await host.wardian(['rm', 'taken']);
    assert.equal(removed.exitCode, 2, removed.stderr);
    assert.match(removed.stderr, /is running\n {2}hint: /);
    await host.succeed(['rm', '-f', '-t', '0', 'taken']);
    assertNothingLeft(host);
  });

  it('--env-file is ours, wherever it stands', async () => {
    const file = path.join(host.directory, 'variables');
    writeFileSync(file, 'FROM_FILE=yes\n');
    const flags = ['--env-file', file];
    const output = await host.succeed([...RUN, ...flags, 'busybox', 'sh', '-c', 'echo $FROM_FILE']);
    assert.equal(output, 'yes\n');
  });
});

describe('archives that are damaged or hostile', () => {
  let host: TestHost;
  before(() => {
    host = new TestHost();
  });
  after(() => host.close());

  for (const entry of ARCHIVES) {
    it(entry.name, async () => {
      const result = await host.wardian(['load', '-q'], { stdin: entry.stdin ?? '' });
      assertRefused(result, { ...entry, command: [] });
      assert.equal(await host.succeed(['images', '-q']), '');
      assertNothingLeft(host);
    });
  }

  it('a file behind a symbolic link stays in the image', async () => {
    const evil = hostile(
      { name: 'out', type: '2', linkName: '/tmp' },
      { name: 'out/wardian-evil', content: 'evil' },
    );
    await host.wardian(['load', '-q'], { stdin: evil });
    assert.throws(() => execFileSync('ls', ['/tmp/wardian-evil'], { stdio: 'pipe' }));
  });
});

interface BadSurroundings extends Omit<BadCommand, 'command'> {
  readonly command?: readonly string[];
  /** Makes the folder `place` what it should not be, and gives the variables that lead to it. */
  readonly prepare: (place: string) => Record<string, string>;
  readonly skip?: string | false;
}

const SURROUNDINGS: readonly BadSurroundings[] = [
  {
    name: 'a runtime folder that others may write to',
    prepare: (place) => {
      mkdirSync(place);
      chmodSync(place, 0o777);
      return { WARDIAN_RUNTIME_DIR: place };
    },
    message: /others may write to /,
    hint: /hint: .*chmod 700/,
  },
  {
    name: "somebody else's runtime folder",
    prepare: (place) => {
      mkdirSync(place, { mode: 0o700 });
      chownSync(place, 4321, 4321);
      return { WARDIAN_RUNTIME_DIR: place };
    },
    skip: needsRoot,
    message: /does not belong to this user/,
  },
  {
    name: 'a runtime folder that is a link',
    prepare: (place) => {
      mkdirSync(`${place}-elsewhere`);
      symlinkSync(`${place}-elsewhere`, place);
      return { WARDIAN_RUNTIME_DIR: place };
    },
    message: /is not a folder/,
  },
  {
    name: 'a runtime folder that is a file',
    prepare: (place) => {
      writeFileSync(place, '');
      return { WARDIAN_RUNTIME_DIR: place };
    },
    message: /is not a folder/,
  },
  {
    name: 'a runtime folder below a file',
    prepare: (place) => {
      writeFileSync(place, '');
      return { WARDIAN_RUNTIME_DIR: path.join(place, 'run') };
    },
    message: /the folder .* cannot be made/,
  },
  {
    name: 'a runtime folder where none can be made',
    prepare: () => ({ WARDIAN_RUNTIME_DIR: '/proc/wardian/run' }),
    message: /the folder \/proc\/wardian cannot be made/,
  },
  {
    name: 'a relative runtime folder',
    prepare: () => ({ WARDIAN_RUNTIME_DIR: 'run' }),
    message: /WARDIAN_RUNTIME_DIR is "run"/,
    hint: /hint: give an absolute path/,
  },
  {
    name: 'a runtime folder whose path is too long for a socket',
    prepare: (place) => ({ WARDIAN_RUNTIME_DIR: path.join(place, 'x'.repeat(100)) }),
    message: /is too long for a socket/,
    hint: /hint: set WARDIAN_RUNTIME_DIR to a shorter path/,
  },
  {
    name: 'a data folder where none can be made',
    prepare: () => ({ WARDIAN_DATA_DIR: '/proc/wardian/data' }),
    message: /the folder \/proc\/wardian cannot be made/,
  },
  {
    name: 'load into a data folder where none can be made',
    command: ['load', '-q'],
    stdin: archive(PLAIN),
    prepare: () => ({ WARDIAN_DATA_DIR: '/proc/wardian/data' }),
    message: /the folder \/proc\/wardian cannot be made/,
  },
  {
    name: 'a cache without a guest',
    prepare: (place) => ({ WARDIAN_CACHE_DIR: place }),
    message: /the guest's .*manifest\.json is not there/,
    hint: /hint: \.\/wardian check/,
  },
  {
    name: 'a runtime folder on a file system that takes none',
    prepare: () => ({ WARDIAN_RUNTIME_DIR: '/sys/firmware/wardian' }),
    message: /the folder \/sys\/firmware\/wardian cannot be made/,
  },
  {
    name: 'a nonsensical accelerator',
    prepare: () => ({ WARDIAN_ACCEL: 'turbo' }),
    message: /WARDIAN_ACCEL is "turbo"/,
    hint: /hint: it may be kvm or tcg/,
  },
  ...['soon', '-1', '5', '1e12'].map((text) => ({
    name: `${text} for an idle time`,
    prepare: () => ({ WARDIAN_IDLE_TIMEOUT_MS: text }),
    message: /WARDIAN_IDLE_TIMEOUT_MS is /,
    hint: /hint: give milliseconds/,
  })),
];

describe('surroundings that are wrong', () => {
  for (const entry of SURROUNDINGS) {
    it(entry.name, { skip: entry.skip ?? false }, async () => {
      const host = new TestHost();
      const place = path.join(host.directory, 'p');
      Object.assign(host.environment, entry.prepare(place));
      const startedAt = Date.now();
      const command = entry.command ?? [...RUN, 'busybox', 'true'];
      const options = entry.stdin === undefined ? {} : { stdin: entry.stdin };
      assertRefused(await host.wardian(command, options), { ...entry, command });
      assert.ok(Date.now() - startedAt < 15_000);
      assertNothingLeft(host);
      assert.equal(host.getSandboxerPid(), undefined, 'a lock is left');
      await host.close();
    });
  }
});

/** Where the disk is full, how many bytes are free on it, and what has to be named. */
const FULL_DISKS = [
  { folder: 'data', sizeKiB: 400, message: /no space is left for .*\/data/ },
  { folder: 'run', sizeKiB: 16, message: /no space|ENOSPC|cannot be made/ },
] as const;

describe('full disks', { skip: needsRoot }, () => {
  it('the templates’ folder’s', async () => {
    const host = new TestHost();
    const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);
    const place = path.join(host.directory, 'cache/templates');
    mkdirSync(place, { recursive: true });
    symlinkSync(path.join(cache, 'guest'), path.join(host.directory, 'cache/guest'));
    host.environment['WARDIAN_CACHE_DIR'] = path.join(host.directory, 'cache');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'none', place]);
    try {
      const result = await host.wardian(['run', 'busybox', 'true']);
      const message = /no space is left for .*\/cache\/templates\//;
      assertRefused(result, { name: '', command: [], message });
      assert.equal(await host.succeed(['ps', '-aq']), '');
      assertNothingLeft(host, [place]);
    } finally {
      execFileSync('umount', ['-l', place]);
    }
    await host.close();
  });

  for (const { folder, sizeKiB, message } of FULL_DISKS) {
    it(`the ${folder} folder's`, async () => {
      const host = new TestHost();
      const place = path.join(host.directory, folder);
      mkdirSync(place, { mode: 0o700 });
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k,mode=700`, 'none', place]);
      try {
        for (let tries = 0; tries < 2; tries += 1) {
          const result = await host.wardian([...RUN, 'busybox', 'true']);
          assertRefused(result, { name: '', command: [], message });
          assertNothingLeft(host, [place]);
        }
        execFileSync('mount', ['-o', 'remount,size=64m', place]);
        await host.succeed([...RUN, 'busybox', 'true']);
        assertNothingLeft(host, [place]);
        const pid = host.getSandboxerPid();
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      } finally {
        execFileSync('umount', ['-l', place]);
      }
      await host.close();
    });
  }
});
