import { setTimeout as delay } from 'node:timers/promises';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import type { ErrorCode } from '../util/error-codes.ts';
import { WardianError } from '../util/errors.ts';
import { findGuestDamage, type Guest } from './guest.ts';

/** Errors behind which there may be a machine that died, or never came up. */
const VAGUE: ReadonlySet<ErrorCode> = new Set([
  'SANDBOX_DIED',
  'AGENT_TIMEOUT',
  'AGENT_PROTOCOL',
  'HYPERVISOR_FAILED',
]);
/** A machine that dies closes its channels first; what it died of is known a moment later. */
const DYING_MS = 500;

/** Finds what a failed start is really due to: a damaged guest, or what the machine died of; else gives the error back. */
export async function explainBootFailure(
  thrown: unknown,
  machine: VirtualMachine,
  guest: Guest,
): Promise<unknown> {
  if (!(thrown instanceof WardianError) || !VAGUE.has(thrown.code)) return thrown;
  const damage = await findGuestDamage(guest);
  if (damage !== undefined) return damage;
  const giveUp = new AbortController();
  const patience = delay(DYING_MS, undefined, { signal: giveUp.signal }).catch(() => undefined); // it has exited
  const exit = await Promise.race([machine.exited, patience]);
  giveUp.abort();
  if (exit === undefined) return thrown;
  const message = `the virtual machine ended while it started: ${exit.reason}`;
  return new WardianError('SANDBOX_DIED', message, {
    cause: thrown,
    hint: 'try again; if it stays so, see what this host can do: wardian check',
  });
}
