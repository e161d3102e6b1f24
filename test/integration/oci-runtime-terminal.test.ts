import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';
import { RuntimeHost } from '../support/runtime-host.ts';

let host: RuntimeHost;

before(() => {
  host = new RuntimeHost();
});
after(() => host.close());

/** Takes the terminal that comes through a socket, types a line, and shows what the terminal says. */
const RECEIVER = `
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1])
server.listen(1)
print('listening', flush=True)
connection, _ = server.accept()
_, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_LEN(4))
master = array.array('i', ancillary[0][2])[0]
connection.close()
os.write(master, b'typed\\n')
while True:
    try:
        data = os.read(master, 4096)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
`;

function open(arguments_: string, setUp = ''): PseudoTerminal {
  const command = host.getCommandLine(arguments_.split(' ')).map((word) => `'${word}'`);
  return new PseudoTerminal(`${setUp} exec ${command.join(' ')}`, host.host.environment);
}

test('a container in front has the terminal: keys, size, and exit code', async () => {
  const script = 'echo ready; read x; echo got-$x; stty size; exit 3';
  const bundle = host.makeBundle('front', {
    args: ['sh', '-c', script],
    process: { terminal: true, env: ['PATH=/bin', 'TERM=xterm'] },
  });
  const terminal = open(`run -b ${bundle} front`, 'stty rows 40 cols 100;');
  await terminal.waitFor(/ready\r\n/);
  terminal.type('keys\n');
  await terminal.waitFor(/keys\r\ngot-keys\r\n40 100\r\n/);
  assert.equal(await terminal.closed, 3);
  assert.deepEqual(host.listLeftovers(), []);
});

test('Ctrl-C is a key of the process, and the terminal is as before in the end', async () => {
  const bundle = host.makeBundle('sleeper', { args: ['sleep', '1000'] });
  await host.succeed('run', '-d', '-b', bundle, 'sleeper');
  const command = host.getCommandLine([
    'exec',
    '-t',
    'sleeper',
    'sh',
    '-c',
    'echo ready; exec cat',
  ]);
  const quoted = command.map((word) => `'${word}'`).join(' ');
  const terminal = new PseudoTerminal(`${quoted}; echo code $?; stty -a`, host.host.environment);
  await terminal.waitFor(/ready\r\n/);
  terminal.type('\x03');
  await terminal.waitFor(/\^Ccode 130\r\n/);
  await terminal.waitFor(/ icanon[^-]*/);
  await terminal.closed;
  await host.succeed('delete', '--force', 'sleeper');
});

test('a terminal is handed over through the console socket, in the size of the configuration', async () => {
  const socket = path.join(host.host.directory, 'console.sock');
  const receiver = spawn('python3', ['-c', RECEIVER, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  receiver.stdout.on('data', (chunk) => {
    shown += String(chunk);
  });
  await once(receiver.stdout, 'data');
  const bundle = host.makeBundle('console', {
    args: ['sh', '-c', 'read x; stty size; echo got-$x; exit 4'],
    process: { terminal: true, consoleSize: { height: 33, width: 77 } },
  });
  const pidFile = path.join(host.host.directory, 'console.pid');
  const flags = ['--console-socket', socket, '--pid-file', pidFile];
  await host.succeed('create', '-b', bundle, ...flags, 'console');
  assert.match(readFileSync(pidFile, 'utf8'), /^\d+$/);
  await host.succeed('start', 'console');
  await once(receiver, 'close');
  assert.equal(shown, 'listening\ntyped\r\n33 77\r\ngot-typed\r\n');
  await host.waitForStatus('console', 'stopped');
  await host.succeed('delete', 'console');
});

test('a console socket where nobody listens is named, and nothing is left', async () => {
  const bundle = host.makeBundle('deaf', { process: { terminal: true } });
  await host.fail(
    /\/nowhere.sock/,
    'create',
    '-b',
    bundle,
    '--console-socket',
    '/nowhere.sock',
    'deaf',
  );
  assert.deepEqual(host.listLeftovers(), []);
});
