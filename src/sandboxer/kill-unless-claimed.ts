import { OWNER_GRACE_MS, type Sandbox } from '../sandbox/sandbox.ts';

/** A foreground container whose client never attached, or did not come back, must not run for ever. */
export async function killUnlessClaimed(sandbox: Sandbox): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), OWNER_GRACE_MS);
  });
  const first = await Promise.race([sandbox.io.claimed, sandbox.finished, patience]);
  clearTimeout(timer);
  if (first === 'late') await sandbox.destroy();
}
