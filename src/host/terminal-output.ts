import { spawnSync } from 'node:child_process';

/** Changing a terminal's settings needs no time; a terminal that hangs is not waited for. */
const STTY_TIMEOUT_MS = 2000;

/**
 * Lets the terminal on standard input show bytes as they are. Node's raw mode leaves output processing on
 * (libuv sets ONLCR), which would add a carriage return to every newline that a program in a container means as
 * such; Node has no other door to termios(3). Leaving raw mode brings the earlier settings back.
 * Best effort: without stty the screen is a little less faithful.
 */
export function disableOutputProcessing(): void {
  spawnSync('stty', ['-opost'], {
    stdio: ['inherit', 'ignore', 'ignore'],
    timeout: STTY_TIMEOUT_MS,
  });
}
