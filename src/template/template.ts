import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { HypervisorDriver, MachineSnapshot } from '../hypervisor/driver.ts';
import type { Guest } from './guest.ts';
import { STANDARD_DEVICE_KINDS } from './machine.ts';
import type { SizeClass } from './size-class.ts';
import { describeSpareContainer } from './spare-container.ts';

/** Raise it when what is saved, or how, changes. */
const TEMPLATE_VERSION = 1;

/** A booted machine at rest, ready to be cloned. Its store owns it. */
export interface Template {
  readonly key: string;
  readonly size: SizeClass;
  readonly snapshot: MachineSnapshot;
  /** Holds the device state for clones to come, even when somebody empties the cache. Closed with the memory. */
  readonly stateFile: FileHandle;
  /** Of the offer that the agent of every clone makes. */
  readonly nonce: Uint8Array;
}

/** What all templates of one driver and guest have in common; those of another are of no use any more. */
export function computeGeneration(driver: HypervisorDriver, guest: Guest): string {
  return hash([
    TEMPLATE_VERSION,
    driver.name,
    driver.fingerprint,
    guest.fingerprint,
    STANDARD_DEVICE_KINDS,
    describeSpareContainer(),
  ]);
}

/** Names a template by everything that went into it. */
export function computeTemplateKey(generation: string, size: SizeClass): string {
  return hash([generation, size.cpus, size.memoryBytes]).slice(0, 32);
}

function hash(ingredients: unknown): string {
  const text = JSON.stringify(ingredients, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
