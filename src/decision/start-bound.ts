/** ms a start waits for flags; flagd's provider gives up its first connection after 500 */
export const START_BOUND_MS = 600
