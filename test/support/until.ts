/** ms between two looks: short at first; then longer, as a look may be a call that costs another process more than the wait */
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 20

/**
 * ms in which something that must happen at once, or within a second, has happened also on a machine with much other work. Far
 * below what it must not wait for, such as the deadlines of a turn. How fast it is on a quiet machine, `npm run bench` shows.
 */
export const SOON_MS = 10_000

/** Waits for something that is about to become true; fails loudly when it does not within the deadline. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = SOON_MS,
): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs
  for (let pauseMs = FIRST_PAUSE_MS; !(await holds()); pauseMs = Math.min(1.5 * pauseMs, LONGEST_PAUSE_MS)) {
    if (performance.now() > giveUpAt) throw new Error(`still waiting for ${what} after ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
