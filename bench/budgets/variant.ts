import { Cleanup } from '../../src/util/cleanup.ts';
import type { Bench } from '../rows/row.ts';
import { chooseDirectories, openLibrary, stopSandboxer, type WardianCommands } from '../wardian.ts';

/** One way in which Wardian can be set up. */
export interface Variant {
  readonly guest: 'distro' | 'mini';
  readonly pool: boolean;
}

export interface OpenVariant extends Variant {
  /** The bench with this variant's library; commands that it makes have this variant's guest. */
  readonly bench: Bench;
  /** Of a sandboxer that stays. */
  readonly commands: WardianCommands;
}

/** One machine waits: more would take the processor from what is measured. */
const POOL_SIZE = 1;

const ALL: readonly Variant[] = [
  { guest: 'distro', pool: false },
  { guest: 'distro', pool: true },
  { guest: 'mini', pool: false },
  { guest: 'mini', pool: true },
];

export function nameVariant({ guest, pool }: Variant): string {
  return `wardian, ${guest}, ${pool ? 'pool' : 'cold'}`;
}

/** All that can run here; why others cannot is added to `omissions`. */
export async function openVariants(
  bench: Bench,
  cleanup: Cleanup,
  omissions: string[],
): Promise<OpenVariant[]> {
  const open: OpenVariant[] = [];
  for (const variant of ALL) {
    const attempt = new Cleanup();
    try {
      open.push(await openVariant(bench, variant, attempt));
      cleanup.defer(nameVariant(variant), async () => {
        const failures = await attempt.run();
        if (failures.length > 0) throw new Error(failures.join('; '));
      });
    } catch (error) {
      const failures = await attempt.run();
      const reason = error instanceof Error ? error.message : String(error);
      omissions.push(`without ${nameVariant(variant)}: ${[reason, ...failures].join('; ')}`);
    }
  }
  return open;
}

async function openVariant(bench: Bench, variant: Variant, cleanup: Cleanup): Promise<OpenVariant> {
  const { guest, pool } = variant;
  const name = `${guest}-${pool ? 'pool' : 'cold'}`;
  const variables = { WARDIAN_GUEST: guest, WARDIAN_POOL_SIZE: pool ? `${POOL_SIZE}` : '0' };
  const library = await openLibrary(
    {
      directories: chooseDirectories(bench.directory, `library-${name}`),
      environment: { ...bench.environment, ...variables },
      poolSize: pool ? POOL_SIZE : 0,
    },
    cleanup,
  );
  await library.services.pairs.choose(); // fails here where this guest is not built
  const commands = bench.createCommands(`commands-${name}`, variables);
  cleanup.defer('sandboxer', () => stopSandboxer(commands));
  const own: Bench = {
    ...bench,
    library,
    commands,
    createCommands: (folder) => bench.createCommands(`${folder}-${guest}`, variables),
  };
  return { ...variant, bench: own, commands };
}
