import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { findDirectories } from '../../src/host/directories.ts';
import { assertRefused, type BadCommand } from '../support/bad-command.ts';
import { archive, PLAIN } from '../support/damaged-archive.ts';
import { assertNothingLeft } from '../support/nothing-left.ts';
import { TestHost } from '../support/test-host.ts';

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'mounting and giving folders away need root';

const RUN = ['run', '--rm'];

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
    hint: /hint: give a time with a unit/,
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
