import { bounded } from '../core/bounded.js'
import type { Clock, Timer } from '../core/clock.js'
import { errorCode, errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { counted, type LastProbe, NO_COUNTS, nextProbeAt, type ProbeCounts } from './probe-counts.js'
import { type HealthAnswer, healthUrl, requestHealth } from './probe-request.js'

/** The guardrails of the probe; read anew for each round, so that a change keeps the counts. */
export interface ProbeSettings {
  /** guardrail `probeIntervalMs`, from start to start */
  readonly intervalMs: number
  /** guardrail `probeTimeoutMs`, over connection, head and body */
  readonly timeoutMs: number
  /** guardrail `probeFailures` */
  readonly failures: number
}

/** One probe's end. Bad codes are those of `HealthAnswer`, and `timeout`. */
export type ProbeResult = HealthAnswer & { readonly tookMs: number }

export interface ProbeState {
  readonly failuresInARow: number
  readonly goodInARow: number
  /** undefined while it is not known: before the first result (also after a reset), or a first row of failures is too short */
  readonly healthy?: boolean
  /** of the last result; wall-clock ms */
  readonly lastAt?: number
  /** ms since the first good result of the present unbroken row; 0 while failing or unknown */
  readonly goodForMs: number
}

/** Asks the runtime for its health, once an interval. Nothing here throws. */
export interface HealthProbe {
  start(): void
  /** Gives up a probe under way, for good; ends when nothing of it is left. */
  stop(): Promise<void>
  /** A live connection to the runtime was refused or reset: probes at once, 100 ms after the last one's start at the soonest. */
  trouble(): void
  /** Forgets the counts, and a probe under way with them; a fresh one follows at once. */
  reset(): void
  state(): ProbeState
}

export interface HealthProbeDeps {
  /** of the runtime, no trailing slash */
  readonly url: string
  readonly clock: Clock
  readonly logger: Logger
  settings(): ProbeSettings
  /** Never rejects; ends at once when the signal is aborted. */
  readonly request?: (signal: AbortSignal) => Promise<HealthAnswer>
  /** Called after each result, when `state()` tells it already. */
  onResult(result: ProbeResult): void
}

/** ms after which the settings are looked at again while a long interval passes */
const LOOK_MS = 1000
/** ms by which a timer is late only where our own process was held up */
const HELD_UP_MS = 50

export function createHealthProbe(deps: HealthProbeDeps): HealthProbe {
  return new Probe(deps)
}

interface Round {
  readonly startedAt: number
  readonly controller: AbortController
  ended: Promise<void>
}

type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting'; readonly timer: Timer; readonly last: LastProbe }
  | { readonly kind: 'probing'; readonly round: Round }
  | { readonly kind: 'stopped' }

/** One probe at a time; the next one is armed only when the last has ended. */
class Probe implements HealthProbe {
  #phase: Phase = { kind: 'idle' }
  #counts: ProbeCounts = NO_COUNTS
  #lastAt: number | undefined
  /** a probe is wanted at once */
  #wanted = false
  /** when the log was told that it fails, until it was told that it does not; monotonic ms */
  #badSince: number | undefined
  readonly #request: (signal: AbortSignal) => Promise<HealthAnswer>

  constructor(private readonly deps: HealthProbeDeps) {
    const url = healthUrl(deps.url)
    this.#request = deps.request ?? ((signal) => requestHealth(url, signal))
  }

  start(): void {
    if (this.#phase.kind === 'idle') this.#begin()
  }

  async stop(): Promise<void> {
    const phase = this.#phase
    this.#phase = { kind: 'stopped' }
    if (phase.kind === 'waiting') phase.timer.cancel()
    if (phase.kind === 'probing') await givenUp(phase.round)
  }

  trouble(): void {
    if (this.#wanted) return
    this.#wanted = true
    if (this.#phase.kind === 'waiting') this.#rearm(this.#phase)
  }

  reset(): void {
    this.#counts = NO_COUNTS
    if (this.#phase.kind === 'probing') {
      const { round } = this.#phase
      void givenUp(round)
      const now = this.deps.clock.monotonic()
      this.#wanted = true
      this.#arm({ startedAt: round.startedAt, endedAt: now, timedOut: false })
    } else this.trouble()
  }

  state(): ProbeState {
    const { failuresInARow, goodInARow, healthy, goodSince } = this.#counts
    return {
      failuresInARow,
      goodInARow,
      ...(healthy === undefined ? {} : { healthy }),
      ...(this.#lastAt === undefined ? {} : { lastAt: this.#lastAt }),
      goodForMs: goodSince === undefined ? 0 : this.deps.clock.monotonic() - goodSince,
    }
  }

  #begin(): void {
    this.#wanted = false
    const round: Round = {
      startedAt: this.deps.clock.monotonic(),
      controller: new AbortController(),
      ended: Promise.resolve(),
    }
    this.#phase = { kind: 'probing', round }
    round.ended = this.#run(round)
  }

  async #run(round: Round): Promise<void> {
    const answer = await this.#answer(round)
    // Stopped or reset meanwhile: this answer is nobody's any more.
    if (this.#phase.kind !== 'probing' || this.#phase.round !== round) return
    const { clock, settings } = this.deps
    const now = clock.monotonic()
    this.#counts = counted(this.#counts, answer.good, settings().failures, now)
    this.#lastAt = clock.wall()
    this.#log(answer, now)
    this.#tell({ ...answer, tookMs: now - round.startedAt })
    // The listener may have reset or stopped us.
    if (this.#phase.kind !== 'probing' || this.#phase.round !== round) return
    this.#arm({
      startedAt: round.startedAt,
      endedAt: now,
      timedOut: !answer.good && answer.code === TIMEOUT.code,
    })
  }

  #arm(last: LastProbe): void {
    const now = this.deps.clock.monotonic()
    const due = nextProbeAt(last, this.#counts, this.deps.settings(), this.#wanted)
    if (due <= now) {
      this.#begin()
      return
    }
    const timer = this.deps.clock.schedule(Math.min(due - now, LOOK_MS), () => this.#arm(last))
    this.#phase = { kind: 'waiting', timer, last }
  }

  #rearm({ timer, last }: Phase & { kind: 'waiting' }): void {
    timer.cancel()
    this.#arm(last)
  }

  /** The answer, or that it is late; ends at once when the round is given up, whatever the request does then. */
  async #answer({ controller: { signal }, controller }: Round): Promise<HealthAnswer> {
    const { clock, settings } = this.deps
    const answered = this.#request(signal).catch((thrown) => ({
      good: false as const,
      code: errorCode(thrown) ?? 'failed',
    }))
    const givenUp = new Promise<HealthAnswer>((resolve) => {
      signal.addEventListener('abort', () => resolve(GIVEN_UP), { once: true })
    })
    const first = Promise.race([givenUp, answered])
    const answer = await bounded(first, settings().timeoutMs, clock, scheduleUnlessHeldUp)
    if (answer !== 'late') return answer
    controller.abort()
    return TIMEOUT
  }

  #log(answer: HealthAnswer, now: number): void {
    const { logger } = this.deps
    if (!answer.good) {
      if (this.#counts.failuresInARow > 1) return
      this.#badSince ??= now
      const { good: _, ...why } = answer
      logger.warn({ failures: this.#counts.failuresInARow, ...why }, '[RuntimeAdapter] 健康检查失败')
    } else if (this.#badSince !== undefined) {
      logger.info({ badForMs: Math.round(now - this.#badSince) }, '[RuntimeAdapter] 健康检查恢复')
      this.#badSince = undefined
    }
  }

  #tell(result: ProbeResult): void {
    try {
      this.deps.onResult(result)
    } catch (thrown) {
      this.deps.logger.error({ error: errorText(thrown) }, 'the listener of the health probe failed')
    }
  }
}

/** A process of ours that stood still has read no answer, and a runtime is not sick for that: as much time again. */
function scheduleUnlessHeldUp(clock: Clock, ms: number, callback: () => void): Timer {
  const startedAt = clock.monotonic()
  let timer = clock.schedule(ms, () => {
    const lateMs = clock.monotonic() - startedAt - ms
    if (lateMs > HELD_UP_MS) timer = clock.schedule(Math.min(lateMs, ms), callback)
    else callback()
  })
  return { cancel: () => timer.cancel() }
}

const TIMEOUT = { good: false, code: 'timeout' } as const
const GIVEN_UP = { good: false, code: 'given_up' } as const

function givenUp(round: Round): Promise<void> {
  round.controller.abort()
  return round.ended
}
