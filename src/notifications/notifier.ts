import { bounded } from '../core/bounded.js'
import type { Clock, Timer } from '../core/clock.js'
import { errorCode } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import type { Notice, PendingNotification, PendingNotifications } from '../journal/journal.js'
import { isFlagEdit } from '../protocol/flag-edit-record.js'
import { noticeId } from '../protocol/notice-id.js'
import type { NotifyFormat } from '../protocol/notification.js'
import { isRolloutChange } from '../protocol/rollout.js'
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
  /** where notifications stay until they are acknowledged; default: in this process alone */
  readonly kept?: PendingNotifications
  /** 0 to 1, for the pauses */
  readonly random?: () => number
  /** ms an attempt may take; default 5,000 */
  readonly deadlineMs?: number
  /** ms `close` may take; default 1,000 */
  readonly closeMs?: number
}

/**
 * Tells a webhook of each transition and of each edit of the operators' flags, in order. After five attempts a notification is given up where nothing keeps it; else it
 * is tried again five minutes later, and at the next start, until the other side has it or refuses it.
 */
export interface Notifier {
  /** Looks for what an earlier start, or another replica, has left. */
  start(): void
  /** Never throws, never waits; where a hundred wait already the oldest of them is dropped, or left to the next look. */
  notify(notice: Notice): void
  /** Tries once more what waits, for about a second, and ends. What is not told then stays kept. */
  close(): Promise<void>
  /** notifications dropped because too many waited, or because the service ended */
  readonly dropped: number
  /** notifications the other side would not have */
  readonly givenUp: number
}

const MAX_WAITING = 100
/** ms between two looks at what is kept; it is the sign of life for others too */
const LOOK_MS = 60_000
/** ms after the last of the five attempts until the next ones */
const REST_MS = 300_000
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
  readonly #waiting: PendingNotification[] = []
  /** ids of those in this process's hands */
  readonly #held = new Set<string>()
  /** monotonic ms before which nothing that is kept is tried again */
  #restUntil = Number.NEGATIVE_INFINITY
  #look: Timer | undefined
  #work: Promise<void> | undefined
  #attempt: AbortController | undefined
  #pause: { readonly timer: Timer; readonly over: () => void } | undefined
  #dropped = 0
  /** since when notifications are being dropped: their count then */
  #droppedBefore: number | undefined
  #givenUp = 0
  #closing: Promise<void> | undefined
  #ended = false
  #looking: Promise<void> = Promise.resolve()

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

  start(): void {
    if (this.#options.kept !== undefined && this.#closing === undefined) this.#lookIn(0)
  }

  notify(notice: Notice): void {
    const id = this.#options.kept?.keep(notice) ?? noticeId(notice)
    if (this.#closing !== undefined) {
      if (this.#options.kept === undefined) this.#dropped += 1
      return
    }
    this.#take({ id, notice })
  }

  #take(notification: PendingNotification): void {
    if (this.#held.has(notification.id)) return
    if (this.#waiting.length >= MAX_WAITING) {
      const oldest = this.#waiting.shift()
      if (oldest !== undefined) this.#held.delete(oldest.id)
      if (this.#options.kept === undefined) this.#drop()
    }
    this.#held.add(notification.id)
    this.#waiting.push(notification)
    this.#work ??= this.#deliverAll()
  }

  #lookIn(ms: number): void {
    this.#look = this.#options.clock.schedule(ms, () => {
      this.#looking = this.#lookForKept()
    })
  }

  /** Never rejects. */
  async #lookForKept(): Promise<void> {
    const { kept, clock } = this.#options
    try {
      const pending = (await kept?.claim()) ?? []
      const rests = clock.monotonic() < this.#restUntil
      // Not more than there is room for: those that wait go first.
      const room = Math.max(0, MAX_WAITING - this.#waiting.length)
      const fresh = pending.filter(({ id }) => !this.#held.has(id))
      if (!rests && this.#closing === undefined)
        for (const notification of fresh.slice(0, room)) this.#take(notification)
    } catch {
      // The journal tells; it is looked at again.
    }
    if (this.#closing === undefined) this.#lookIn(LOOK_MS)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#look?.cancel()
    this.#pause?.over()
    const { clock, closeMs = CLOSE_MS } = this.#options
    const work = Promise.all([this.#looking, this.#work])
    if ((await bounded(work, closeMs, clock)) !== 'late') return
    this.#ended = true
    this.#attempt?.abort(new DeliveryFault('closed'))
    await work
  }

  async #deliverAll(): Promise<void> {
    // Not within the caller's turn of the event loop.
    await Promise.resolve()
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (!this.#ended) await this.#deliver(next)
      else if (this.#options.kept === undefined) this.#drop()
      this.#held.delete(next.id)
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

  async #deliver({ id, notice }: PendingNotification): Promise<void> {
    const { kept, clock } = this.#options
    for (let attempt = 1; ; attempt += 1) {
      const result = await this.#try(notice)
      if (result.kind !== 'again') kept?.acknowledge(id)
      if (result.kind === 'delivered') {
        this.#restUntil = Number.NEGATIVE_INFINITY
        return
      }
      const last = attempt >= MAX_ATTEMPTS || this.#closing !== undefined
      if (result.kind === 'refused' || (last && kept === undefined))
        return this.#giveUp(notice, result.why, attempt)
      if (last) {
        this.#restUntil = clock.monotonic() + REST_MS
        return this.#leave(notice, result.why, attempt)
      }
      await this.#wait(pauseAfter(attempt, result.retryAfterMs, this.#random()))
    }
  }

  /** Never rejects, and ends at the deadline whatever `send` does. */
  async #try(notice: Notice): Promise<AttemptResult> {
    const { clock, url, format, deadlineMs = DEADLINE_MS } = this.#options
    const request = this.#request(notice)
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

  /** Undefined if the evidence is no JSON. */
  #request(notice: Notice): SignedBody | undefined {
    const { clock, format, replica, secret } = this.#options
    const options = { format, sender: replica, ...(secret === undefined ? {} : { secret }) }
    try {
      return notificationBody(notice, options, Math.floor(clock.wall() / 1000))
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

  #leave(notice: Notice, why: string, attempts: number): void {
    this.#options.logger.warn(
      { host: this.#host, why, attempts, ...logged(notice) },
      '[Notify] a notification is kept for later',
    )
  }

  #giveUp(notice: Notice, why: string, attempts: number): void {
    this.#givenUp += 1
    this.#options.logger.warn(
      { host: this.#host, why, attempts, ...logged(notice) },
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

/** What the log says of a notice: enough to find it in the history. */
function logged(notice: Notice): object {
  if (isFlagEdit(notice)) return { edit: noticeId(notice) }
  if (isRolloutChange(notice)) return { rollout: noticeId(notice) }
  const { revision, to, manualTo } = notice
  return { revision, to, manualTo }
}

/** Why an attempt was cut off. */
class DeliveryFault extends Error {
  override readonly name = 'DeliveryFault'

  constructor(readonly code: 'deadline' | 'closed') {
    super(code)
  }
}
