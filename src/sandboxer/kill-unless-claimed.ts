import type { Container } from '../sandbox/container.ts';
import { OWNER_GRACE_MS } from '../sandbox/execs.ts';

/** A foreground container whose client never attached, or did not come back, must not run for ever. */
export async function killUnlessClaimed(container: Container): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), OWNER_GRACE_MS);
  });
  const first = await Promise.race([container.io.claimed, container.finished, patience]);
  clearTimeout(timer);
  if (first === 'late') await container.destroy();
}
