import { accessSync, constants } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  disableKsm,
  enableKsm,
  type KsmState,
  readKsm,
  restoreKsmSettings,
  saveKsmSettings,
} from '../../src/host/ksm.ts';
import type { Cleanup } from '../../src/util/cleanup.ts';

const ROOT = '/';
const SWITCH = '/sys/kernel/mm/ksm/run';
/** A page is merged at the second look at it at the earliest: the first tells whether it changes. */
const SCANS = 4;
const POLL_MS = 500;
/** At the pace that `enable` sets, 200 idle machines take a quarter of a minute a scan. */
const SETTLE_TIMEOUT_MS = 120_000;

/** The kernel's merging while the bench runs: off unless it is asked for, and as it was before afterwards. */
export interface Merging {
  /** Undefined where it can be switched; else why not. */
  readonly obstacle: string | undefined;
  enable(): void;
  disable(): void;
  /** Waits until everything has been looked at often enough. */
  settle(signal: AbortSignal): Promise<void>;
  readState(): KsmState | undefined;
}

export function openMerging(cleanup: Cleanup): Merging {
  const obstacle = findObstacle();
  if (obstacle !== undefined) {
    return {
      obstacle,
      enable: () => {},
      disable: () => {},
      settle: async () => {},
      readState: () => undefined,
    };
  }
  cleanup.defer('settings of page merging', rememberMerging());
  return {
    obstacle,
    enable: () => enableKsm(ROOT),
    disable: () => disableKsm(ROOT),
    settle,
    readState: () => readKsm(ROOT),
  };
}

/**
 * Remembers how merging is set; the function puts it back. Whoever starts the bench in a workspace does that, too, since
 * what runs in there may be killed.
 */
export function rememberMerging(): () => void {
  if (findObstacle() !== undefined) return () => {};
  const settings = saveKsmSettings(ROOT);
  return () => {
    if (settings['run'] === '0' && readKsm(ROOT).isOn) disableKsm(ROOT);
    restoreKsmSettings(ROOT, settings);
  };
}

function findObstacle(): string | undefined {
  try {
    accessSync(SWITCH, constants.F_OK);
  } catch {
    return 'this kernel has no page merging (/sys/kernel/mm/ksm)';
  }
  try {
    accessSync(SWITCH, constants.W_OK);
    return undefined;
  } catch {
    return 'only root may switch page merging on';
  }
}

async function settle(signal: AbortSignal): Promise<void> {
  const first = readKsm(ROOT).fullScans;
  const deadline = Date.now() + SETTLE_TIMEOUT_MS;
  while (readKsm(ROOT).fullScans < first + SCANS) {
    if (Date.now() > deadline)
      throw new Error('the kernel has not finished looking for equal pages');
    await delay(POLL_MS, undefined, { signal });
  }
}
