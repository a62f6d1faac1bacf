import { ExecutionError } from './execution-error.js'
import type { ChunkSource } from './sse-reader.js'

/** What a body is, by its first bytes: content types lie or are missing. */
export type BodyKind = 'sse' | 'json'

const FIELDS = ['data:', 'event:', 'id:', 'retry:', 'error:', ':']
const LONGEST = 6
/** bytes of white space after which nobody looks any longer */
const MAX_LOOK = 4096

/** The body from its first byte on. */
export interface KnownBody {
  readonly kind: BodyKind
  readonly source: ChunkSource
}

/**
 * Looks at the first bytes that are no white space. An answer that calls itself an event stream is read as one unless it
 * plainly is JSON or HTML; any other has to begin like one. A body without a byte is an event stream without an event.
 */
export async function knownBody(source: ChunkSource, contentType: string): Promise<KnownBody> {
  const named = contentType.toLowerCase().startsWith('text/event-stream')
  const seen: Buffer[] = []
  let start = ''
  let bytes = 0
  while (!decided(start, named) && bytes < MAX_LOOK) {
    const chunk = await source.read()
    if (chunk === undefined) break
    seen.push(chunk)
    bytes += chunk.length
    start = beginningOf(seen)
  }
  return { kind: kindOf(start, named), source: afterAll(seen, source) }
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
function beginningOf(seen: readonly Buffer[]): string {
  const text = Buffer.concat(seen).subarray(0, MAX_LOOK).toString('latin1')
  return text
    .replace(/^(?:\xef\xbb\xbf|\xef\xbb?$)/, '')
    .trimStart()
    .slice(0, LONGEST)
}

function afterAll(seen: readonly Buffer[], source: ChunkSource): ChunkSource {
  const left = [...seen]
  return {
    read() {
      const chunk = left.shift()
      return chunk === undefined ? source.read() : Promise.resolve(chunk)
    },
  }
}

function protocolError(said: string): ExecutionError {
  return new ExecutionError('llm_protocol_error', 'headers', said)
}
