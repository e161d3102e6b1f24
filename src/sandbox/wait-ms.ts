/** Fulfilled after so long; keeps nobody from leaving. */
export function waitMs(timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeoutMs).unref();
  });
}
