import { StringDecoder } from 'node:string_decoder'
import { TransportError } from '../transport-error.js'
import { parseObject } from './foreign.js'
import type { MemoryShare } from './memory-share.js'
import { type FrameParser, MAX_FRAME } from './sse-parser.js'

/**
 * A body of JSON, read by read: a chunk a line where its first line is a JSON object by itself, else the whole text as
 * one chunk at its end.
 */
export class JsonLines implements FrameParser {
  fault: TransportError | undefined
  readonly #decoder = new StringDecoder('utf8')
  #started = false
  /** text behind the last line end */
  #rest = ''
  #kind: 'unknown' | 'lines' | 'whole' = 'unknown'
  #given = 0
  #over = false
  /** characters taken from the share */
  #shared = 0

  constructor(
    /** characters that one chunk may have */
    private readonly maxChunk: number,
    /** what all parsers together may hold of chunks longer than `MAX_FRAME` */
    private readonly share?: MemoryShare,
  ) {}

  /** The body was one JSON value: a chat completion needs no other sign of its end. */
  get isSingle(): boolean {
    return this.#over && this.#given === 1
  }

  take(bytes: Buffer): readonly string[] {
    if (this.fault !== undefined) return []
    const text = this.#decoded(this.#decoder.write(bytes))
    this.#rest += text
    // A long line is not searched anew with each read.
    const lines = text.includes('\n') ? this.#takeLines() : []
    if (this.#rest.length > this.maxChunk || !this.#weigh()) {
      this.fault = new TransportError('frame_too_large', true)
    }
    return lines
  }

  end(): readonly string[] {
    this.#over = true
    const left: string[] = []
    const text = this.#rest + this.#decoder.end()
    this.#rest = ''
    this.#give(text, left)
    // Several lines of which the first is torn: the reader of chunks looks at each, and the last may be missing.
    if (this.#kind === 'whole' && parseObject(text) === undefined) this.#given += 1
    return left
  }

  close(): void {
    this.#rest = ''
    this.#giveBack()
  }

  /** False where the share has nothing left for what is held. */
  #weigh(): boolean {
    const { share } = this
    if (share === undefined) return true
    if (this.#rest.length <= MAX_FRAME) {
      this.#giveBack()
      return true
    }
    const more = this.#rest.length - this.#shared
    if (more > 0 && !share.take(more)) return false
    if (more < 0) share.give(-more)
    this.#shared = this.#rest.length
    return true
  }

  #giveBack(): void {
    this.share?.give(this.#shared)
    this.#shared = 0
  }

  #decoded(text: string): string {
    if (this.#started || text === '') return text
    this.#started = true
    return text.startsWith('\ufeff') ? text.slice(1) : text
  }

  #takeLines(): string[] {
    const lines: string[] = []
    while (this.#kind !== 'whole') {
      const end = this.#rest.indexOf('\n')
      if (end === -1) break
      const line = this.#rest.slice(0, end)
      if (this.#kind === 'unknown' && line.trim() !== '') {
        this.#kind = parseObject(line) === undefined ? 'whole' : 'lines'
        if (this.#kind === 'whole') break
      }
      this.#rest = this.#rest.slice(end + 1)
      this.#give(line, lines)
    }
    return lines
  }

  #give(text: string, chunks: string[]): void {
    if (text.trim() === '') return
    chunks.push(text)
    this.#given += 1
  }
}
