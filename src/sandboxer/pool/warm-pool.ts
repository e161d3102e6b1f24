import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { readAvailableMemory } from '../../host/memory-use.ts';
import type { WarmMachine, WarmMachines, WarmSource } from '../../sandbox/warm-machines.ts';
import { toWardianError } from '../../util/errors.ts';
import type { PoolInfo } from '../api.ts';
import { ASSUMED_BYTES, makeMember, type PoolMember } from './make-member.ts';
import { makeStem } from './make-stem.ts';
import { type PoolLimits, planPool } from './pool-policy.ts';

export interface PoolOptions extends PoolLimits {
  /** Between a start and the making of the next member. */
  readonly refillDelayMs: number;
  /** Parent of the members' folders. */
  readonly directory: string;
  /** Makes the image of the throw-away container, or finds it. */
  readonly prepareImage: () => Promise<string>;
  /** The folder that machines share while they warm up, which is made when it is not there. */
  readonly prepareShare: () => Promise<string>;
  /** Somebody waits for a start: members can wait. */
  readonly isStarting: () => boolean;
  readonly log: (line: string) => void;
}

/** Kinds of machines that are kept in mind; the memory limit says how many of them get members. */
const MAX_KINDS = 4;
/** How soon a host that had nothing to spare is asked again, and one that had is looked after. */
const LOOK_MS = 5_000;
const FIRST_BACK_OFF_MS = 1_000;
const MAX_BACK_OFF_MS = 60_000;

/** Folder of the members' folders. Machines that were given away stay there until they end. */
export function getPoolDirectory(runtimeDirectory: string): string {
  return path.join(runtimeDirectory, 'pool');
}

/**
 * Machines that have run a throw-away container and wait to be given away, or to be forked where the driver can; made in
 * the background, one at a time.
 */
export class WarmPool implements WarmMachines {
  readonly #options: PoolOptions;
  readonly #members = new Set<PoolMember>();
  /** Latest first. */
  #recent: WarmSource[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is due, and when it may be at the earliest (performance.now). */
  #dueAtMs = 0;
  #notBeforeMs = 0;
  #work: Promise<void> = Promise.resolve();
  #making: AbortController | undefined;
  #isWorking = false;
  /** Something was taken while a step was under way, which may not have seen that. */
  #wasTaken = false;
  #isClosed = false;
  #failures = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get isEnabled(): boolean {
    return this.#options.size > 0;
  }

  take(source: WarmSource): WarmMachine | undefined {
    if (!this.isEnabled || this.#isClosed) return undefined;
    const { key } = source.template;
    const others = this.#recent.filter(({ template }) => template.key !== key);
    this.#recent = [source, ...others].slice(0, MAX_KINDS);
    const found = [...this.#members].find((member) => member.source.template.key === key);
    if (found !== undefined && !found.isStem) this.#members.delete(found);
    this.#wasTaken = true;
    this.#schedule(this.#options.refillDelayMs);
    return found;
  }

  report(problem: string): void {
    this.#options.log(`a machine of the pool could not be used: ${problem}`);
  }

  describe(): PoolInfo {
    const { size, memoryBytes: memoryLimitBytes } = this.#options;
    const ready = this.#members.size;
    const memoryBytes = [...this.#members].reduce((sum, member) => sum + member.bytes, 0);
    return { size, memoryLimitBytes, ready, memoryBytes, making: this.#making !== undefined };
  }

  /** Ends all members, and what is being made; forgets what was in demand. The next start fills it anew. */
  async drain(): Promise<void> {
    this.#recent = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#making?.abort();
    const members = [...this.#members];
    this.#members.clear();
    await Promise.all(members.map((member) => member.discard()));
    await this.#work;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.drain();
  }

  /** The earliest of several reasons counts: where starts come without a pause, the latest would never be over. */
  #schedule(delayMs: number): void {
    if (this.#isClosed || this.#isWorking) return;
    const nowMs = performance.now();
    const dueAtMs = Math.max(nowMs + delayMs, this.#notBeforeMs);
    if (this.#timer !== undefined && this.#dueAtMs <= dueAtMs) return;
    clearTimeout(this.#timer);
    this.#dueAtMs = dueAtMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isWorking = true;
      this.#wasTaken = false;
      this.#work = this.#step().then((nextMs) => {
        this.#isWorking = false;
        if (nextMs !== undefined) this.#schedule(nextMs);
        if (this.#wasTaken) this.#schedule(this.#options.refillDelayMs);
      });
    }, dueAtMs - nowMs);
    this.#timer.unref();
  }

  /** One look at the situation and what follows from it. Returns when to look again. Never rejects. */
  async #step(): Promise<number | undefined> {
    if (this.#options.isStarting()) return this.#options.refillDelayMs;
    try {
      const { drop, make } = await this.#plan();
      await Promise.all(drop.map((id) => this.#drop(id)));
      if (make !== undefined) await this.#make(make);
      this.#failures = 0;
      if (make !== undefined) return 0;
      return this.#recent.length > 0 ? LOOK_MS : undefined;
    } catch (error) {
      if (this.#isClosed || this.#recent.length === 0) return undefined; // it was drained meanwhile
      this.#options.log(`the pool could not be filled: ${toWardianError(error).message}`);
      const backOffMs = Math.min(FIRST_BACK_OFF_MS * 2 ** this.#failures, MAX_BACK_OFF_MS);
      this.#failures += 1;
      this.#notBeforeMs = performance.now() + backOffMs;
      return backOffMs;
    }
  }

  async #plan() {
    const { size, memoryBytes } = this.#options;
    const forked = this.#recent.filter(({ driver }) => driver.capabilities.forking);
    const members = [...this.#members].map(({ id, source, bytes }) => {
      return { id, key: source.template.key, bytes };
    });
    return planPool({
      limits: { size, memoryBytes },
      recent: this.#recent.map(({ template }) => template.key),
      forked: new Set(forked.map(({ template }) => template.key)),
      members,
      expectedBytes: Math.max(0, ...members.map(({ bytes }) => bytes)) || ASSUMED_BYTES,
      availableBytes: await readAvailableMemory(),
      loadPerCpu: (loadavg()[0] ?? 0) / cpus().length,
    });
  }

  async #make(key: string): Promise<void> {
    const source = this.#recent.find(({ template }) => template.key === key);
    if (source === undefined) return;
    const { directory, prepareImage, prepareShare } = this.#options;
    const making = new AbortController();
    this.#making = making;
    try {
      const [imagePath, sharePath] = await Promise.all([prepareImage(), prepareShare()]);
      const make = source.driver.capabilities.forking ? makeStem : makeMember;
      const member = await make({
        ...{ ...source, directory, imagePath, sharePath, signal: making.signal },
      });
      if (making.signal.aborted) return await member.discard();
      this.#members.add(member);
      void member.lost.then((reason) => this.#onLost(member, reason));
    } finally {
      this.#making = undefined;
    }
  }

  async #drop(id: string): Promise<void> {
    const member = [...this.#members].find((one) => one.id === id);
    if (member === undefined || !this.#members.delete(member)) return; // given away meanwhile
    await member.discard();
  }

  /** One that was given away, or ended by us, is not in the set any more. */
  async #onLost(member: PoolMember, reason: string): Promise<void> {
    if (!this.#members.delete(member)) return;
    const { log } = this.#options;
    log(`a machine of the pool ended while it waited: ${reason}`);
    await member
      .discard()
      .catch((error: Error) => log(`it was not cleared away: ${error.message}`));
    this.#schedule(FIRST_BACK_OFF_MS);
  }
}
