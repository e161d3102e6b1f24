import { type ChildProcess, spawn } from 'node:child_process';

/** Runs a shell command on a pseudo-terminal, by way of script(1); input is typed, output is what the screen gets. */
export class PseudoTerminal {
  readonly closed: Promise<number | null>;
  #output = '';
  readonly #child: ChildProcess;
  #listeners: (() => void)[] = [];

  constructor(command: string, environment: Record<string, string>) {
    this.#child = spawn(
      'script',
      ['--quiet', '--flush', '--return', '--command', command, '/dev/null'],
      {
        env: { ...environment, TERM: 'xterm' },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    this.#child.stdout?.on('data', (chunk) => {
      this.#output += String(chunk);
      for (const listener of this.#listeners.splice(0)) listener();
    });
    this.closed = new Promise((resolve) => this.#child.once('close', (code) => resolve(code)));
    void this.closed.then(() => {
      for (const listener of this.#listeners.splice(0)) listener();
    });
  }

  get output(): string {
    return this.#output;
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until the screen has shown something that matches; fails when the command ends before. */
  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match !== null) return match;
      if (this.#child.exitCode !== null) {
        throw new Error(`ended with ${this.#child.exitCode} before ${pattern}: ${this.#output}`);
      }
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
