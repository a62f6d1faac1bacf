import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { scheduleDeadline } from '../../core/deadline.js'
import type { FlagStoreFault } from '../flag-store.js'
import { documentBusy, documentLate, flagStoreClosed, type StoreAction } from '../store-fault.js'
import type { DocumentName, SharedDocuments } from './documents.js'

/** A call answers within this, also if the engine does not (ms); as with files. */
const CALL_DEADLINE_MS = 2_000
/** calls under way at a time, those included whose answer came too late */
const MAX_CALLS = 64

/** The calls of one store: each one bounded in time, all bounded in number, and awaited at the end. */
export class DocumentCalls {
  /** calls to the engine that have not ended */
  #open = 0
  readonly #answers = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(
    private readonly documents: SharedDocuments,
    private readonly clock: Clock,
  ) {}

  /** Never rejects. `failed` makes the answer of a fault. */
  run<T>(
    action: StoreAction,
    name: DocumentName,
    work: () => Promise<T>,
    failed: (fault: FlagStoreFault) => T,
  ): Promise<T> {
    const where = this.documents.nameOf(name)
    if (this.#isClosed) return Promise.resolve(failed(flagStoreClosed(where)))
    if (this.#open >= MAX_CALLS) return Promise.resolve(failed(documentBusy(action, where, MAX_CALLS)))
    this.#open += 1
    const ended = (async () => work())()
      .catch((thrown: unknown) => failed(this.documents.faultOf(thrown, action, name)))
      .finally(() => {
        this.#open -= 1
      })
    const answer = bounded(ended, CALL_DEADLINE_MS, this.clock, scheduleDeadline).then((result) =>
      result === 'late' ? failed(documentLate(action, where, CALL_DEADLINE_MS)) : result,
    )
    this.#answers.add(answer)
    return answer.finally(() => this.#answers.delete(answer))
  }

  /** No call begins any more; ends when those under way are answered. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#answers)
  }
}
