const FACTOR = Number(process.env.CHAT_TEST_RUNS ?? 1)
if (!(FACTOR > 0 && Number.isFinite(FACTOR))) throw new Error('CHAT_TEST_RUNS must be a number above 0')

/** How many random cases, or simulated worlds, one run of the tests takes: `CHAT_TEST_RUNS` times the usual number. */
export const testRuns = (usual: number): number => Math.max(1, Math.round(usual * FACTOR))
