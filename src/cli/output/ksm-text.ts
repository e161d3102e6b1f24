import type { KsmState } from '../../host/ksm.ts';
import { formatSize } from './human.ts';

/** The VMMs of this user's containers; `readable` are those that the kernel tells about. */
export interface SandboxKsm {
  readonly running: number;
  readonly readable: number;
  readonly mergeable: number;
  readonly mergedPages: number;
}

export interface KsmReport {
  readonly state: KsmState;
  readonly sandboxes: SandboxKsm;
  /** Part of one core that the kernel's thread takes; only while merging is on. */
  readonly threadLoad?: number;
}

const WHAT_IT_IS = `Kernel same-page merging (KSM) finds pages of memory that have the same content in different processes and
keeps one copy of them until somebody writes to it. Sandboxes offer it the memory of their guests: what a
clone has written since it left its template. What it has not written is shared anyhow.
`;

const SIDE_CHANNEL = `The side channel: the first write to a merged page takes longer, because the kernel must copy it. Whoever
controls a container can fill a page with a guess, wait, time a write to it, and so learn whether another
sandbox on this host has the same page: which programs and versions run there, even a guessed secret.
Therefore it is off unless you switch it on. Do so where all containers of the host may know that of each other.
`;

/** What people read. */
export function renderKsm({ state, sandboxes, threadLoad }: KsmReport): string {
  const lines: [string, string][] = [
    ['state:', describeState(state)],
    ['merged:', describeMerged(state)],
    ['scanned:', describeScans(state)],
    ['ksmd:', describeThread(state, threadLoad)],
    ['sandboxes:', describeSandboxes(sandboxes, state)],
  ];
  const table = lines.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join('');
  const next = state.isOn
    ? 'Switch it off: wardian ksm disable'
    : 'Switch it on: wardian ksm enable';
  return `${WHAT_IT_IS}\n${table}\n${SIDE_CHANNEL}${next} (as root)\n`;
}

function describeState({ isOn, pagesToScan, sleepMs, savedPages }: KsmState): string {
  if (isOn) return `on, ${pagesToScan} pages every ${sleepMs} ms`;
  return savedPages > 0 ? 'off, but what was merged stays so until it is written to' : 'off';
}

function describeMerged({ sharedPages, savedPages, pageBytes, profitBytes }: KsmState): string {
  if (savedPages === 0) return 'nothing';
  const pages = `${savedPages + sharedPages} pages of this host are kept in ${sharedPages}`;
  const saved = `${formatSize(savedPages * pageBytes)} saved`;
  if (profitBytes === undefined) return `${pages}: ${saved}`;
  return `${pages}: ${saved}, ${formatProfit(profitBytes)} with the kernel’s records about them`;
}

/** The records can cost more than is saved. */
function formatProfit(bytes: number): string {
  return bytes < 0 ? `${formatSize(-bytes)} lost` : formatSize(bytes);
}

function describeScans({ fullScans, uniquePages, volatilePages }: KsmState): string {
  if (fullScans === 0 && uniquePages + volatilePages === 0) return 'never';
  return `${fullScans} times in full; ${uniquePages} pages are like no other, ${volatilePages} change too often`;
}

function describeThread({ threadCpuMs }: KsmState, load: number | undefined): string {
  if (threadCpuMs === undefined) return 'cannot be seen from here';
  const total = `${(threadCpuMs / 1_000).toFixed(1)} s of processor time since the boot`;
  return load === undefined ? total : `${total}, ${Math.round(load * 100)} % of a core now`;
}

function describeSandboxes(
  { running, readable, mergeable, mergedPages }: SandboxKsm,
  { pageBytes }: KsmState,
) {
  if (running === 0) return 'none runs';
  if (readable === 0) return `${running} running; the kernel does not tell this user about them`;
  const open = mergeable === readable ? 'all' : `${mergeable}`;
  const merged = `${mergedPages} pages (${formatSize(mergedPages * pageBytes)}) of theirs are merged`;
  return `${running} running, ${open} with memory open to merging; ${merged}`;
}
