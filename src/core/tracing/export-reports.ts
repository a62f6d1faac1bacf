import type { Clock } from '../clock.js'
import { errorCode, errorText } from '../errors.js'
import type { Logger } from '../logger.js'

/** ms between two lines about spans that found the queue full */
const AGAIN_MS = 60_000

/**
 * What the log says of the export of spans: once that the collector takes none, and once that it does again. A collector that is only slow
 * takes every batch, while spans are lost at the full queue: those are counted, and told once a minute at most.
 */
export class ExportReports {
  #waiting = 0
  #dropped = 0
  #fails = false
  #toldAt = Number.NEGATIVE_INFINITY
  #batches = 0
  /** the newest batch that was taken */
  #newestTaken = 0

  /** @param queueSize spans that may wait; the processor of the SDK drops the others, and tells nobody */
  constructor(
    private readonly queueSize: number,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** A span has ended and is offered to the queue. */
  offered(): void {
    if (this.#waiting < this.queueSize) this.#waiting += 1
    else this.#dropped += 1
  }

  /** A batch has left the queue for the collector. Its number, for what becomes of it. */
  left(spans: number): number {
    this.#waiting = Math.max(0, this.#waiting - spans)
    this.#batches += 1
    return this.#batches
  }

  taken(batch: number): void {
    this.#newestTaken = Math.max(this.#newestTaken, batch)
    if (this.#fails) this.logger.info('[Traces] the collector takes spans again')
    this.#fails = false
    if (this.#dropped === 0 || this.clock.monotonic() - this.#toldAt < AGAIN_MS) return
    this.logger.warn(
      { spans: this.#dropped },
      '[Traces] the collector takes spans slower than they come; those beyond the queue are dropped',
    )
    this.#toldAt = this.clock.monotonic()
    this.#dropped = 0
  }

  /** After all tries. */
  refused(batch: number, spans: number, error: Error | undefined): void {
    // The SDK sends a batch while an older one still waits for its time to run out.
    if (batch < this.#newestTaken) return
    // The line below says it of all of them.
    this.#dropped = 0
    if (this.#fails) return
    this.#fails = true
    this.logger.warn(
      {
        code: errorCode(error),
        status: statusOf(error),
        ...(error === undefined ? {} : { error: errorText(error) }),
        spans,
      },
      '[Traces] the collector takes no spans; they are dropped until it does',
    )
  }
}

/** The exporter gives the HTTP status as the code of its error, where trying again is of no use. */
function statusOf(error: Error | undefined): number | undefined {
  return error !== undefined && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}
