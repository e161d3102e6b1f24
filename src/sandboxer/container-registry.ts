import { randomBytes } from 'node:crypto';
import type { Container } from '../sandbox/container.ts';
import type { ProcessIo } from '../sandbox/process-io.ts';
import type { SandboxState } from '../sandbox/sandbox-state.ts';
import { WardianError } from '../util/errors.ts';
import type { Trace } from '../util/trace.ts';

/** A container that the sandboxer knows: running in a sandbox, or ended with only its state left. */
export interface ContainerEntry {
  readonly state: SandboxState;
  readonly directory: string;
  /** Undefined when it ended under an earlier sandboxer. */
  readonly container: Container | undefined;
  /** Fulfilled when the container is over and, with --rm, removed. */
  readonly done: Promise<void>;
  /** Tells that the owner of one that ended under an earlier sandboxer has come for its exit code. */
  readonly claim?: () => void;
}

/** A process to which clients can be joined. */
export interface AttachableProcess {
  readonly io: ProcessIo;
  readonly trace?: Trace | undefined;
  /** Fulfilled when it is over and what comes after that (removal with --rm) is done. */
  readonly done: Promise<void>;
  /** Its owner has let go of it: it goes on alone. */
  disown(): Promise<void>;
  /** Its owner has come, or has come back. */
  gainOwner?(): void;
  /** Its owner has gone: it ends, or somebody looks whether it has to. */
  loseOwner(): Promise<void>;
  /** Output is kept for an owner that was lost, and the end is told when the owner has all of it. */
  readonly keepsOutput?: boolean;
}

export interface StartingProcess {
  readonly process: Promise<AttachableProcess>;
  /** Told about long steps. */
  readonly listeners: Set<(line: string) => void>;
  readonly trace?: Trace | undefined;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const HEX_PREFIX = /^[0-9a-f]{1,64}$/;

/** All containers by id and name; names that are being made are taken, too. */
export class ContainerRegistry {
  readonly #entries = new Map<string, ContainerEntry>();
  readonly #names = new Map<string, string>();
  /** Processes that are being started, so that a client can attach before they have. */
  readonly #starting = new Map<string, StartingProcess>();

  get entries(): ContainerEntry[] {
    return [...this.#entries.values()];
  }

  get runningCount(): number {
    return this.entries.filter((entry) => entry.container?.running === true).length;
  }

  get isBusy(): boolean {
    return this.runningCount > 0 || this.isStarting;
  }

  /** A container or a process in one is being started. */
  get isStarting(): boolean {
    return this.#starting.size > 0;
  }

  /** Takes a name and an id for a container that is about to be made; returns the name and how to give both back. */
  reserve(id: string, wanted: string | undefined): { name: string; release: () => void } {
    if (wanted !== undefined && !NAME.test(wanted)) {
      throw new WardianError(
        'NAME_INVALID',
        `container name ${JSON.stringify(wanted.slice(0, 140))} is not allowed`,
        {
          hint: 'use letters, digits, "_", "." and "-", at most 128, beginning with a letter or digit',
        },
      );
    }
    const name = wanted ?? this.#inventName();
    const holder = this.#names.get(name);
    if (holder !== undefined) {
      throw new WardianError(
        'NAME_IN_USE',
        `the name ${name} is used by container ${holder.slice(0, 12)}`,
        {
          hint: `choose another name, or remove that container: wardian rm ${name}`,
        },
      );
    }
    if (this.#entries.has(id))
      throw new WardianError('NAME_IN_USE', `container ${id.slice(0, 12)} exists`);
    this.#names.set(name, id);
    return { name, release: () => this.#names.delete(name) };
  }

  add(entry: ContainerEntry): void {
    this.#entries.set(entry.state.id, entry);
    this.#names.set(entry.state.name, entry.state.id);
  }

  delete(entry: ContainerEntry): void {
    this.#entries.delete(entry.state.id);
    if (this.#names.get(entry.state.name) === entry.state.id) this.#names.delete(entry.state.name);
  }

  /** Finds by name, id, or a prefix of the id that no other has. */
  find(reference: string): ContainerEntry {
    const exact =
      this.#entries.get(reference) ?? this.#entries.get(this.#names.get(reference) ?? '');
    if (exact !== undefined) return exact;
    const matches = HEX_PREFIX.test(reference)
      ? this.entries.filter(({ state }) => state.id.startsWith(reference))
      : [];
    if (matches.length === 1 && matches[0] !== undefined) return matches[0];
    const shown = JSON.stringify(reference.slice(0, 140));
    throw matches.length > 1
      ? new WardianError(
          'CONTAINER_NOT_FOUND',
          `${shown} is the beginning of ${matches.length} container ids`,
          {
            hint: 'give more of the id',
          },
        )
      : new WardianError('CONTAINER_NOT_FOUND', `no container with name or id ${shown}`, {
          hint: 'wardian ps -a lists all containers',
        });
  }

  /** Remembers a process while it is started; clients that attach meanwhile wait for it. */
  async whileStarting(
    id: string,
    start: (onProgress: (line: string) => void) => Promise<AttachableProcess>,
    trace?: Trace,
  ): Promise<AttachableProcess> {
    if (this.#starting.has(id)) {
      throw new WardianError('NAME_IN_USE', `${id.slice(0, 12)} is being started already`);
    }
    const listeners = new Set<(line: string) => void>();
    const process = start((line) => {
      for (const listener of listeners) listener(line);
    });
    process.catch(() => {}); // reported to whoever started it, below
    this.#starting.set(id, { process, listeners, trace });
    try {
      return await process;
    } finally {
      this.#starting.delete(id);
    }
  }

  getStarting(id: string): StartingProcess | undefined {
    return this.#starting.get(id);
  }

  #inventName(): string {
    for (;;) {
      const name = `${pick(ADJECTIVES)}_${pick(PLANTS)}`;
      if (!this.#names.has(name)) return name;
      const numbered = `${name}_${randomBytes(2).toString('hex')}`;
      if (!this.#names.has(numbered)) return numbered;
    }
  }
}

function pick(words: readonly string[]): string {
  return words[randomBytes(2).readUInt16LE() % words.length] ?? 'green';
}

const ADJECTIVES = [
  'airy',
  'brave',
  'bright',
  'calm',
  'clear',
  'cosy',
  'dewy',
  'eager',
  'fresh',
  'gentle',
  'glassy',
  'green',
  'humid',
  'keen',
  'leafy',
  'light',
  'lively',
  'lush',
  'mellow',
  'mild',
  'misty',
  'mossy',
  'nimble',
  'quiet',
  'serene',
  'shady',
  'silent',
  'sunny',
  'tender',
  'tidy',
  'verdant',
  'warm',
];
/** What Nathaniel Ward and his friends kept under glass. */
const PLANTS = [
  'adiantum',
  'aloe',
  'asplenium',
  'azolla',
  'begonia',
  'bromelia',
  'cactus',
  'cinchona',
  'cycad',
  'davallia',
  'drosera',
  'fern',
  'ficus',
  'fittonia',
  'gesneria',
  'ivy',
  'lichen',
  'lycopod',
  'maidenhair',
  'maranta',
  'moss',
  'nephrolepis',
  'orchid',
  'palm',
  'peperomia',
  'pilea',
  'pitcher',
  'primula',
  'selaginella',
  'tea',
  'tillandsia',
  'violet',
];
