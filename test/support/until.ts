/** ms between two looks: short at first; then longer, as a look may be a call that costs another process more than the wait */
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 20

/** Waits for something that is about to become true; fails loudly when it does not within the deadline. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 5_000,
): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs
  for (let pauseMs = FIRST_PAUSE_MS; !(await holds()); pauseMs = Math.min(1.5 * pauseMs, LONGEST_PAUSE_MS)) {
    if (performance.now() > giveUpAt) throw new Error(`still waiting for ${what} after ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
