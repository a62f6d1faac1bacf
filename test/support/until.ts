/** Waits for something that is about to become true; fails loudly when it does not within the deadline. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 5_000,
): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error(`still waiting for ${what} after ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
