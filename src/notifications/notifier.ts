import { bounded } from '../core/bounded.js'
import type { Clock, Timer } from '../core/clock.js'
import { errorCode } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import type { Transition } from '../journal/journal.js'
import type { NotifyFormat } from '../protocol/notification.js'
import { notificationBody, type SignedBody } from './notification-body.js'
import { type AttemptResult, attemptResult, pauseAfter } from './receipt.js'
import { type Send, send } from './sender.js'

export interface NotifierOptions {
  readonly url: string
  readonly format: NotifyFormat
  readonly secret?: string
  readonly clock: Clock
  readonly logger: Logger
  /** name of this process */
  readonly replica: string
  readonly send?: Send
  /** 0 to 1, for the pauses */
  readonly random?: () => number
  /** ms an attempt may take; default 5,000 */
  readonly deadlineMs?: number
  /** ms `close` may take; default 1,000 */
  readonly closeMs?: number
}

/** Tells a webhook of each transition, in order, each at most five times. */
export interface Notifier {
  /** Never throws, never waits; where a hundred wait already the oldest of them is dropped. */
  notify(transition: Transition): void
  /** Tries once more what waits, for about a second, and ends. */
  close(): Promise<void>
  /** notifications dropped because too many waited, or because the service ended */
  readonly dropped: number
  /** notifications the other side would not have */
  readonly givenUp: number
}

const MAX_WAITING = 100
const MAX_ATTEMPTS = 5
const DEADLINE_MS = 5_000
const CLOSE_MS = 1_000

export function createNotifier(options: NotifierOptions): Notifier {
  return new WebhookNotifier(options)
}

class WebhookNotifier implements Notifier {
  readonly #options: NotifierOptions
  readonly #send: Send
  readonly #random: () => number
  /** The address itself is a secret: the host alone is for the log. */
  readonly #host: string
  readonly #waiting: Transition[] = []
  #work: Promise<void> | undefined
  #attempt: AbortController | undefined
  #pause: { readonly timer: Timer; readonly over: () => void } | undefined
  #dropped = 0
  /** since when notifications are being dropped: their count then */
  #droppedBefore: number | undefined
  #givenUp = 0
  #closing: Promise<void> | undefined
  #ended = false

  constructor(options: NotifierOptions) {
    this.#options = options
    this.#send = options.send ?? send
    this.#random = options.random ?? Math.random
    this.#host = new URL(options.url).host
  }

  get dropped(): number {
    return this.#dropped
  }

  get givenUp(): number {
    return this.#givenUp
  }

  notify(transition: Transition): void {
    if (this.#closing !== undefined) {
      this.#dropped += 1
      return
    }
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting.shift()
      this.#drop()
    }
    this.#waiting.push(transition)
    this.#work ??= this.#deliverAll()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#pause?.over()
    const { clock, closeMs = CLOSE_MS } = this.#options
    const work = this.#work ?? Promise.resolve()
    if ((await bounded(work, closeMs, clock)) !== 'late') return
    this.#ended = true
    this.#attempt?.abort(new DeliveryFault('closed'))
    await work
  }

  async #deliverAll(): Promise<void> {
    // Not within the caller's turn of the event loop.
    await Promise.resolve()
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (this.#ended) this.#drop()
      else await this.#deliver(next)
    }
    this.#work = undefined
    if (this.#droppedBefore === undefined) return
    const lost = this.#dropped - this.#droppedBefore
    this.#droppedBefore = undefined
    this.#options.logger.info(
      { host: this.#host, dropped: lost },
      '[Notify] no more notifications are dropped',
    )
  }

  async #deliver(transition: Transition): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const result = await this.#try(transition)
      if (result.kind === 'delivered') return
      const last = result.kind === 'refused' || attempt >= MAX_ATTEMPTS || this.#closing !== undefined
      if (last) return this.#giveUp(transition, result.why, attempt)
      await this.#wait(pauseAfter(attempt, result.retryAfterMs, this.#random()))
    }
  }

  /** Never rejects, and ends at the deadline whatever `send` does. */
  async #try(transition: Transition): Promise<AttemptResult> {
    const { clock, url, format, deadlineMs = DEADLINE_MS } = this.#options
    const request = this.#request(transition)
    if (request === undefined) return { kind: 'refused', why: 'no JSON' }
    const controller = new AbortController()
    const { signal } = controller
    this.#attempt = controller
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    try {
      const sent = Promise.race([this.#send({ url, ...request, signal }), aborted])
      const receipt = await bounded(sent, deadlineMs, clock)
      if (receipt === 'late') {
        controller.abort(new DeliveryFault('deadline'))
        return { kind: 'again', why: 'deadline', retryAfterMs: 0 }
      }
      return attemptResult(receipt, format, clock.wall())
    } catch (error) {
      return { kind: 'again', why: errorCode(error) ?? 'failed', retryAfterMs: 0 }
    } finally {
      this.#attempt = undefined
    }
  }

  /** Undefined where the evidence is no JSON. */
  #request(transition: Transition): SignedBody | undefined {
    const { clock, format, replica, secret } = this.#options
    const options = { format, sender: replica, ...(secret === undefined ? {} : { secret }) }
    try {
      return notificationBody(transition, options, Math.floor(clock.wall() / 1000))
    } catch {
      return undefined
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.schedule(ms, () => this.#pause?.over())
      const over = (): void => {
        timer.cancel()
        this.#pause = undefined
        resolve()
      }
      this.#pause = { timer, over }
    })
  }

  #giveUp(transition: Transition, why: string, attempts: number): void {
    this.#givenUp += 1
    const { revision, to, manualTo } = transition
    this.#options.logger.warn(
      { host: this.#host, why, attempts, revision, to, manualTo },
      '[Notify] a notification was given up',
    )
  }

  #drop(): void {
    if (this.#droppedBefore === undefined) {
      this.#droppedBefore = this.#dropped
      const waiting = this.#waiting.length
      this.#options.logger.warn({ host: this.#host, waiting }, '[Notify] notifications are being dropped')
    }
    this.#dropped += 1
  }
}

/** Why an attempt was cut off. */
class DeliveryFault extends Error {
  override readonly name = 'DeliveryFault'

  constructor(readonly code: 'deadline' | 'closed') {
    super(code)
  }
}
