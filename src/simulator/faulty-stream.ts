import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Faults } from './faults.js'

/** One SSE frame of an answer. Faults delay texts and count events. */
export interface Frame {
  readonly kind: 'event' | 'text' | 'done'
  /** payload of `data:` */
  readonly data: string
  /** ms to wait first, whatever the faults say */
  readonly delayMs?: number
}

/** How the simulators differ on the wire. */
export interface Dialect {
  readonly newline: 'lf' | 'crlf'
  readonly ping: string
  readonly errorFrame: (faults: Exclude<Faults['errorEvent'], undefined>) => string
  /** an error as a whole frame, where it is told by more than data */
  readonly errorWire?: (faults: Exclude<Faults['errorEvent'], undefined>) => string | undefined
  /** a text event of about so many characters */
  readonly textFrame: (text: string) => string
}

const FLUSH_CHARACTERS = 16_384
const PING_MS = 15_000
const FAST_PING_MS = 20
const ENDLESS_MS = 5

/**
 * Writes an answer frame by frame under the faults, never faster than its reader takes it. Ends when the answer has,
 * when the reader leaves, or when `stop` is aborted.
 */
export class FaultyStream {
  #pending = ''
  #events = 0
  #texts = 0

  constructor(
    private readonly response: Writable,
    private readonly faults: Faults,
    private readonly dialect: Dialect,
    private readonly stop: AbortSignal,
  ) {}

  /** The whole answer; resolves true when it went to its end, false when it was cut by a fault or the reader. */
  async send(frames: Iterable<Frame>): Promise<boolean> {
    const pings = setInterval(() => this.response.write(this.dialect.ping), PING_MS)
    try {
      return await this.#send(frames)
    } catch (error) {
      if (this.stop.aborted) return false
      throw error
    } finally {
      clearInterval(pings)
    }
  }

  /** Something outside the answer (the end of a cancelled one); nothing once the reader has left. */
  finish(frames: Iterable<Frame>): void {
    for (const frame of frames) this.#pending += this.#wire(frame.data)
    if (!this.response.destroyed) this.response.end(this.#pending)
    this.#pending = ''
  }

  async #send(frames: Iterable<Frame>): Promise<boolean> {
    if (this.faults.bom === true) this.#pending += '\ufeff'
    if (this.faults.hang === 'body') return this.#forever(async () => this.#wait(PING_MS))
    if (this.faults.pingOnly === true) return this.#forever(() => this.#pingSoon())
    if (this.faults.garbage === true) return this.#forever(() => this.#garbage())
    for (let n = 0; n < (this.faults.garbage ?? 0); n += 1) this.#pending += this.#wire(`{garbage ${n}`)
    if (this.faults.oversizedFrame !== undefined) this.#oversized(this.faults.oversizedFrame)
    for (const frame of frames) {
      if (this.#cut()) return this.#drop()
      if (this.#fails()) return this.#error()
      if (frame.kind === 'done') {
        if (this.faults.endless === true) return this.#forever(() => this.#endless())
        if (this.faults.noDone === true) continue
      }
      await this.#pace(frame)
      this.#pending += this.#wire(
        frame.kind === 'done' && this.faults.doneBlanks === true ? ` ${frame.data} ` : frame.data,
      )
      this.#events += 1
      if (this.#pending.length >= FLUSH_CHARACTERS) await this.#flush()
    }
    if (this.#cut()) return this.#drop()
    await this.#end()
    return true
  }

  async #pace(frame: Frame): Promise<void> {
    const delay = frame.delayMs ?? (frame.kind === 'text' ? this.#textDelay() : 0)
    if (frame.kind === 'text') this.#texts += 1
    if (delay === 0) return
    await this.#flush()
    await this.#wait(delay)
  }

  #textDelay(): number {
    return (this.#texts === 0 ? this.faults.firstContentDelayMs : this.faults.gapMs) ?? 0
  }

  #cut(): boolean {
    return this.faults.dropAfterEvents !== undefined && this.#events >= this.faults.dropAfterEvents
  }

  async #drop(): Promise<boolean> {
    await this.#flush()
    // A reader must have the events before the cut, or the fault would say less than it promises.
    await this.#wait(1)
    this.response.destroy()
    return false
  }

  #fails(): boolean {
    const { errorEvent } = this.faults
    if (errorEvent === undefined) return false
    return this.#events >= (errorEvent === true ? 0 : (errorEvent.afterEvents ?? 0))
  }

  async #error(): Promise<boolean> {
    const fault = this.faults.errorEvent ?? true
    this.#pending += this.dialect.errorWire?.(fault) ?? this.#wire(this.dialect.errorFrame(fault))
    this.#pending += this.#wire('[DONE]')
    await this.#end()
    return false
  }

  #oversized(size: number | true): void {
    const text = 'x'.repeat(size === true ? 2_097_152 : size)
    this.#pending += this.#wire(this.dialect.textFrame(text))
  }

  async #pingSoon(): Promise<void> {
    this.#pending += this.dialect.ping
    await this.#flush()
    await this.#wait(FAST_PING_MS)
  }

  async #garbage(): Promise<void> {
    this.#pending += this.#wire('{garbage')
    await this.#flush()
    await this.#wait(ENDLESS_MS)
  }

  async #endless(): Promise<void> {
    this.#pending += this.#wire(this.dialect.textFrame('x'.repeat(this.faults.textBytes ?? 20)))
    await this.#flush()
    await this.#wait(this.faults.gapMs ?? ENDLESS_MS)
  }

  async #forever(step: () => Promise<void>): Promise<boolean> {
    await this.#flush()
    while (!this.stop.aborted) await step()
    return false
  }

  #wire(data: string): string {
    const newline = (this.faults.newline ?? this.dialect.newline) === 'crlf' ? '\r\n' : '\n'
    return `data: ${data}${newline}${newline}`
  }

  async #flush(): Promise<void> {
    const text = this.#pending
    this.#pending = ''
    if (text === '') return
    const { chunkBytes } = this.faults
    if (chunkBytes === undefined) return this.#write(text)
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      await this.#write(bytes.subarray(at, at + chunkBytes))
      // One write, one segment: let the socket have each piece before the next.
      await this.#wait(0)
    }
  }

  // The last frames and the end of the response in one write, so that the connection is free at once.
  async #end(): Promise<void> {
    if (this.faults.chunkBytes !== undefined) await this.#flush()
    this.response.end(this.#pending)
    this.#pending = ''
  }

  async #write(piece: string | Buffer): Promise<void> {
    if (this.response.destroyed) return
    if (!this.response.write(piece)) await once(this.response, 'drain', { signal: this.stop })
  }

  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.stop })
  }
}

/** Holds back the head as the faults say. False when there will be none (hang, or the reader left). */
export async function awaitHead(faults: Faults, stop: AbortSignal): Promise<boolean> {
  try {
    if (faults.headersDelayMs !== undefined) await sleep(faults.headersDelayMs, undefined, { signal: stop })
    if (faults.hang === 'headers') await sleep(2_147_483_647, undefined, { signal: stop })
    return !stop.aborted
  } catch {
    return false
  }
}

/** Aborted when the response is over or its reader has left. */
export function leavingOf(response: ServerResponse): AbortController {
  const controller = new AbortController()
  response.once('close', () => controller.abort())
  return controller
}
