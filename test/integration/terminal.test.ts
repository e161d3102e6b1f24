import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';
import { TestHost } from '../support/test-host.ts';

const CLI = fileURLToPath(new URL('../../dist/wardian.cjs', import.meta.url));

let host: TestHost;
before(() => {
  host = new TestHost();
});
after(() => host.close());

function open(arguments_: string, setUp = ''): PseudoTerminal {
  return new PseudoTerminal(
    `${setUp} exec '${process.execPath}' '${CLI}' ${arguments_}`,
    host.environment,
  );
}

test('a shell on a terminal: prompt, echo, exit code', async () => {
  const terminal = open('run --rm -it busybox sh');
  await terminal.waitFor(/\/ # /);
  terminal.type('tty; echo $((6*7)); exit 3\n');
  await terminal.waitFor(/\/dev\/(pts\/0|console)\r\n42\r\n/);
  assert.equal(await terminal.closed, 3);
});

test('Ctrl-C goes to the container, not to the client', async () => {
  const terminal = open(`run --rm -it busybox sh`);
  await terminal.waitFor(/\/ # /);
  terminal.type('sleep 600\n');
  await terminal.waitFor(/sleep 600\r\n/);
  await new Promise((resolve) => setTimeout(resolve, 300));
  terminal.type('\x03');
  await terminal.waitFor(/\^C\r\n\/ # /);
  terminal.type('exit\n');
  assert.equal(await terminal.closed, 130);
});

test('the terminal’s size arrives, and its changes', async () => {
  const script = 'stty size; read x; stty size';
  const terminal = open(
    `run --rm -it busybox sh -c '${script}'`,
    'stty rows 40 cols 100; (sleep 2; stty rows 50 cols 120 < /dev/tty) &',
  );
  await terminal.waitFor(/40 100\r\n/);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  terminal.type('\n');
  await terminal.waitFor(/50 120\r\n/);
  assert.equal(await terminal.closed, 0);
});

test('detach keys leave the container running, attach comes back', async () => {
  const terminal = open('run --name kept -it busybox sh');
  await terminal.waitFor(/\/ # /);
  terminal.type('A=remembered\n');
  await terminal.waitFor(/remembered\r\n\/ # /);
  terminal.type('\x10\x11');
  assert.equal(await terminal.closed, 0);
  assert.match(await host.succeed(['ps']), /kept/);
  const again = open('attach kept');
  await new Promise((resolve) => setTimeout(resolve, 500));
  again.type('echo $A; exit 4\n');
  await again.waitFor(/remembered\r\n/);
  assert.equal(await again.closed, 4);
  await host.succeed(['rm', 'kept']);
});

test('exec -it has a terminal of its own', async () => {
  const id = (await host.succeed(['run', '-d', 'busybox', 'sleep', '600'])).trim();
  const terminal = open(`exec -it ${id} sh`);
  await terminal.waitFor(/\/ # /);
  terminal.type('stty -a | head -1; exit 6\n');
  await terminal.waitFor(/speed/);
  assert.equal(await terminal.closed, 6);
  await host.succeed(['rm', '-f', '-t', '0', id]);
});

test('the client leaves the terminal as it was', async () => {
  const terminal = new PseudoTerminal(
    `stty -a > /dev/null; before=$(stty -g); '${process.execPath}' '${CLI}' run --rm -it busybox true; test "$before" = "$(stty -g)" && echo same`,
    host.environment,
  );
  await terminal.waitFor(/same\r\n/);
  assert.equal(await terminal.closed, 0);
});

test('-t without -i shows lines as they are, and leaves the terminal as it was', async () => {
  const terminal = new PseudoTerminal(
    `before=$(stty -g); '${process.execPath}' '${CLI}' run --rm -t busybox echo plain | cat -A; ` +
      `'${process.execPath}' '${CLI}' run --rm -t busybox echo shown; test "$before" = "$(stty -g)" && echo same`,
    host.environment,
  );
  await terminal.waitFor(/shown\r\nsame\r\n/);
  assert.equal(await terminal.closed, 0);
});
