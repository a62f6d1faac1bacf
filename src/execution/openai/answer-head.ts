import { ExecutionError } from '../execution-error.js'

/** What a body is, by its first bytes: content types lie or are missing. */
export type BodyKind = 'sse' | 'json'

const FIELDS = ['data:', 'event:', 'id:', 'retry:', 'error:', ':']
const LONGEST = 6
/** bytes of white space after which nobody looks any longer */
const MAX_LOOK = 4096

/**
 * Looks at the first bytes that are no white space. An answer that calls itself an event stream is read as one unless it
 * plainly is JSON or HTML; any other has to begin like one. A body without a byte is an event stream without an event.
 */
export class AnswerHead {
  readonly #isNamed: boolean
  #seen: Buffer = Buffer.alloc(0)

  constructor(contentType: string) {
    this.#isNamed = contentType.toLowerCase().startsWith('text/event-stream')
  }

  /** all that came so far */
  get seen(): Buffer {
    return this.#seen
  }

  /** @returns undefined while more has to come. @throws ExecutionError for what is no answer */
  take(chunk: Buffer): BodyKind | undefined {
    this.#seen = this.#seen.length === 0 ? chunk : Buffer.concat([this.#seen, chunk])
    const start = beginningOf(this.#seen)
    if (!decided(start, this.#isNamed) && this.#seen.length < MAX_LOOK) return undefined
    return kindOf(start, this.#isNamed)
  }

  /** The body is over. @throws ExecutionError for what is no answer */
  end(): BodyKind {
    return kindOf(beginningOf(this.#seen), this.#isNamed)
  }
}

function decided(start: string, named: boolean): boolean {
  if (start === '') return false
  return named || start.startsWith('{') || start.startsWith('<') || start.length >= LONGEST || begins(start)
}

function kindOf(start: string, named: boolean): BodyKind {
  if (start.startsWith('{')) return 'json'
  if (start.startsWith('<')) throw protocolError('the server answered with HTML, not with an event stream')
  if (named || start === '' || begins(start)) return 'sse'
  throw protocolError('the answer is not an event stream')
}

function begins(start: string): boolean {
  return FIELDS.some((field) => start.startsWith(field))
}

/** Enough of it to know; byte by byte, since a byte order mark and white space may stand first. */
function beginningOf(seen: Buffer): string {
  const text = seen.subarray(0, MAX_LOOK).toString('latin1')
  return text
    .replace(/^(?:\xef\xbb\xbf|\xef\xbb?$)/, '')
    .trimStart()
    .slice(0, LONGEST)
}

function protocolError(said: string): ExecutionError {
  return new ExecutionError('llm_protocol_error', 'headers', said)
}
