/** Does the same so many times, `inFlight` at once. After a failure nothing more is begun, and what runs is waited for. */
export async function runTogether(
  count: number,
  inFlight: number,
  work: () => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun < count && failures.length === 0) {
      begun++;
      try {
        await work();
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
  if (failures.length > 0) throw failures[0];
}
