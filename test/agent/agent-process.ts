import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const BINARY = fileURLToPath(new URL('../../build/agent/agent', import.meta.url));
const BUSYBOX = '/usr/bin/busybox';
const APPLETS = ['sh', 'cat', 'true', 'sleep', 'head', 'wc', 'seq', 'stat', 'md5sum'];

/** Binds a socket, then becomes the agent in mount and host name namespaces of its own. */
const LISTEN_AND_EXEC = `
  use Socket; $^F = 255;
  socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un(shift)) && listen(S, 4) or die;
  syswrite(STDOUT, "listening\\n");
  exec("unshare", "--mount", "--uts", shift, "--channel-fd", fileno(S), "--test-root", shift);`;

/** Why the agent cannot run on this machine, or false. */
export function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'only root can make containers outside a guest';
  if (!existsSync(BINARY)) return 'the agent is not built: make -C guest/agent';
  if (!existsSync(BUSYBOX)) return 'busybox-static is not installed';
  return false;
}

/** The guest's agent as a process of this machine; its one layer, number 0, is busybox. */
export class AgentProcess {
  readonly #directory: string;
  readonly #child: ChildProcess;

  static async start(): Promise<AgentProcess> {
    const directory = mkdtempSync('/tmp/wardian-agent-');
    makeLayer(path.join(directory, 'run/layers/0'));
    const socket = path.join(directory, 'socket');
    const child = spawn('perl', ['-e', LISTEN_AND_EXEC, socket, BINARY, directory], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve, reject) => {
      child.stdout?.once('data', resolve);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the agent exited with ${code}`)));
    });
    return new AgentProcess(directory, child);
  }

  private constructor(directory: string, child: ChildProcess) {
    this.#directory = directory;
    this.#child = child;
  }

  connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(path.join(this.#directory, 'socket'), () => resolve(socket));
      socket.once('error', reject);
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#directory, { recursive: true });
  }
}

function makeLayer(directory: string): void {
  for (const folder of ['bin', 'tmp', 'proc', 'dev']) {
    mkdirSync(path.join(directory, folder), { recursive: true });
  }
  cpSync(BUSYBOX, path.join(directory, 'bin/busybox'), { dereference: true });
  for (const applet of APPLETS) symlinkSync('busybox', path.join(directory, 'bin', applet));
}
