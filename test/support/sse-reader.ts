import { MAX_FRAME, SseParser, type SseParserOptions } from '../../src/execution/parse/sse-parser.js'

export { MAX_FRAME }

export interface ChunkSource {
  /** Undefined at the end; rejects when the connection broke. */
  read(): Promise<Buffer | undefined>
}

/** The SSE parser over a source that is pulled: one array a read, faults after all events. */
export class SseReader {
  readonly #parser: SseParser
  #fault: unknown
  #over = false

  constructor(
    private readonly source: ChunkSource,
    options: SseParserOptions = {},
  ) {
    this.#parser = new SseParser(options)
  }

  async read(): Promise<readonly string[] | undefined> {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#over) return undefined
    let chunk: Buffer | undefined
    try {
      chunk = await this.source.read()
    } catch (fault) {
      this.#fault = fault
    }
    this.#over = chunk === undefined
    const events = chunk === undefined ? this.#parser.end() : this.#parser.take(chunk)
    this.#fault ??= this.#parser.fault
    return events
  }

  close(): void {
    this.#parser.close()
  }
}
