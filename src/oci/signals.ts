import { WardianError } from '../util/errors.ts';

/** Linux's signals on x86_64 (signal(7)), number = index + 1. */
const NAMES = [
  ...['HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2'],
  ...['PIPE', 'ALRM', 'TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG'],
  ...['XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS'],
];
const ALIASES: Readonly<Record<string, string>> = { IOT: 'ABRT', POLL: 'IO', CLD: 'CHLD' };

/** What SIGRTMIN means to programs: glibc and musl keep the kernel's first two or three to themselves. */
const REALTIME_MINIMUM = 34;
const REALTIME_MAXIMUM = 64;

/** Reads "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3" or "RTMAX-1". Fails with USAGE. */
export function parseSignal(text: string): number {
  const number = /^\d{1,2}$/.test(text) ? Number(text) : findByName(text.toUpperCase());
  if (number === undefined || number < 1 || number > REALTIME_MAXIMUM) {
    throw new WardianError('USAGE', `"${text.slice(0, 40)}" is not a signal`, {
      hint: 'give a name such as TERM or SIGTERM, or a number from 1 to 64',
    });
  }
  return number;
}

/** The name of a signal as people write it ("SIGTERM", "SIGRTMIN+1"); a bare number where it has none. */
export function signalName(signal: number): string {
  const name = NAMES[signal - 1];
  if (name !== undefined) return `SIG${name}`;
  if (signal < REALTIME_MINIMUM || signal > REALTIME_MAXIMUM) return String(signal);
  return signal === REALTIME_MINIMUM ? 'SIGRTMIN' : `SIGRTMIN+${signal - REALTIME_MINIMUM}`;
}

function findByName(upperCase: string): number | undefined {
  const name = upperCase.replace(/^SIG/, '');
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime !== null) return realtimeSignal(realtime);
  const index = NAMES.indexOf(ALIASES[name] ?? name);
  return index < 0 ? undefined : index + 1;
}

function realtimeSignal([, base, sign, distance = '0']: RegExpExecArray): number | undefined {
  const start = base === 'MIN' ? REALTIME_MINIMUM : REALTIME_MAXIMUM;
  const signal = start + (sign === '-' ? -Number(distance) : Number(distance));
  return signal < REALTIME_MINIMUM || signal > REALTIME_MAXIMUM ? undefined : signal;
}
