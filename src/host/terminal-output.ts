import { type SpawnSyncReturns, spawnSync } from 'node:child_process';

/** Changing a terminal's settings needs no time; a terminal that hangs is not waited for. */
const STTY_TIMEOUT_MS = 2000;

/**
 * Lets the terminal on standard input show bytes as they are. Node's raw mode leaves output processing on
 * (libuv sets ONLCR), which would add a carriage return to every newline that a program in a container means as
 * such; Node has no other door to termios(3). Leaving raw mode brings the earlier settings back.
 * Best effort: without stty the screen is a little less faithful.
 */
export function disableOutputProcessing(): void {
  setTerminal('-opost');
}

/** The same without raw mode, whose end would bring the earlier settings back; returns how to do that. */
export function suspendOutputProcessing(): () => void {
  const settings = setTerminal('-g').stdout?.toString().trim();
  if (!settings) return () => {}; // no terminal, or no stty
  disableOutputProcessing();
  return () => {
    setTerminal(settings);
  };
}

function setTerminal(setting: string): SpawnSyncReturns<Buffer> {
  return spawnSync('stty', [setting], {
    stdio: ['inherit', 'pipe', 'ignore'],
    timeout: STTY_TIMEOUT_MS,
  });
}
