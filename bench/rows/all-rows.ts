import { clone } from './clone.ts';
import { podmanRun, runtimeDelete, runtimeStart, runtimeState } from './engines.ts';
import { exec, libraryExec } from './exec.ts';
import { filesMany, filesNone, filesRead, filesWrite } from './files.ts';
import { floor } from './floor.ts';
import { coldBoot, library } from './library.ts';
import { memory } from './memory.ts';
import { networkReceive, networkRoundTrips, networkSend } from './network.ts';
import { parallel } from './parallel.ts';
import type { Row } from './row.ts';
import { firstRun, run } from './run.ts';

/** In the order of the table. */
export const ALL_ROWS: readonly Row[] = [
  clone,
  library,
  run,
  firstRun,
  podmanRun,
  runtimeState,
  runtimeStart,
  runtimeDelete,
  coldBoot,
  exec,
  libraryExec,
  parallel,
  memory,
  filesNone,
  filesWrite,
  filesRead,
  filesMany,
  networkSend,
  networkReceive,
  networkRoundTrips,
  floor,
];
