import { retryLater } from './problems.js'

/** What was read of the journal. @throws Problem 503 `journal_unavailable`, worth another try, where it cannot be */
export async function readJournal<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (thrown) {
    throw isJournalUnavailable(thrown) ? retryLater('journal_unavailable', 1, thrown) : thrown
  }
}

/** By name: of the journal only its types are known here. */
const isJournalUnavailable = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.name === 'JournalUnavailable'
