import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assertRefused, type BadCommand } from '../support/bad-command.ts';
import { assertNothingLeft } from '../support/nothing-left.ts';
import { TestHost } from '../support/test-host.ts';

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
