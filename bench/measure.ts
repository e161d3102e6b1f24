/** One measurement: the figure, and what it was made of where that is known. */
export interface Sample {
  readonly value: number;
  readonly parts?: Readonly<Record<string, number>>;
}

/** Something that can be measured again and again. */
export interface Contestant {
  readonly name: string;
  /** Does the work once. Rejects when it did not succeed: a failed run is no measurement. */
  measure(): Promise<Sample>;
}

export interface MeasureOptions {
  readonly runs: number;
  /** Rounds before the first that counts: caches, templates, pages. */
  readonly warmups: number;
  /** A single measurement that takes longer has failed. */
  readonly timeoutMs: number;
  /** Between two measurements: what the one before still does (cleaning up, mostly) must not slow the next. */
  readonly settleMs: number;
  readonly signal?: AbortSignal;
  readonly onRound?: (round: number, rounds: number) => void;
}

export interface Summary {
  readonly runs: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Interquartile range: half of the runs lie within it. */
  readonly spread: number;
  /** Medians of the parts. */
  readonly parts?: Readonly<Record<string, number>>;
}

export type Measured =
  | { readonly name: string; readonly samples: readonly Sample[]; readonly summary: Summary }
  | { readonly name: string; readonly failure: string };

/**
 * Measures all contestants in rounds, each once a round, so that what drifts on the machine hits all of them. The order
 * rotates: nobody always follows the same neighbour. One that fails is not measured again.
 */
export async function measureInterleaved(
  contestants: readonly Contestant[],
  options: MeasureOptions,
): Promise<Measured[]> {
  const samples = contestants.map((): Sample[] => []);
  const failures = new Map<number, string>();
  const rounds = options.warmups + options.runs;
  for (let round = 0; round < rounds; round++) {
    options.onRound?.(round, rounds);
    for (const index of rotate(contestants.length, round)) {
      if (failures.has(index)) continue;
      const contestant = contestants[index] as Contestant;
      try {
        const sample = await measureOnce(contestant, options);
        if (round >= options.warmups) samples[index]?.push(sample);
      } catch (error) {
        options.signal?.throwIfAborted();
        failures.set(index, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return contestants.map(({ name }, index) => {
    const failure = failures.get(index);
    if (failure !== undefined) return { name, failure };
    const own = samples[index] as Sample[];
    return { name, samples: own, summary: summarize(own) };
  });
}

/** 0 … count-1, beginning one further in each round. */
function rotate(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, index) => (index + round) % count);
}

async function measureOnce(contestant: Contestant, options: MeasureOptions): Promise<Sample> {
  options.signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  const end = new Promise<never>((_, reject) => {
    onAbort = () => reject(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    timer = setTimeout(
      () => reject(new Error(`not done after ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
  });
  try {
    const sample = await Promise.race([contestant.measure(), end]);
    await new Promise((resolve) => setTimeout(resolve, options.settleMs));
    return sample;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/** Throws on an empty list: there is no median of nothing. */
export function summarize(samples: readonly Sample[]): Summary {
  const sorted = samples.map(({ value }) => value).sort((a, b) => a - b);
  const names = Object.keys(samples[0]?.parts ?? {});
  const parts = Object.fromEntries(
    names.map((name) => [name, medianOf(samples.map((sample) => sample.parts?.[name] ?? 0))]),
  );
  return {
    runs: sorted.length,
    median: quantile(sorted, 0.5),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
    spread: quantile(sorted, 0.75) - quantile(sorted, 0.25),
    ...(names.length === 0 ? {} : { parts }),
  };
}

function medianOf(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** With linear interpolation between neighbours, as most statistics packages have it. */
export function quantile(sorted: readonly number[], fraction: number): number {
  if (sorted.length === 0) throw new Error('no measurements');
  const place = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}
