import type { Clock, Timer } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import { isLocalFaultCode } from '../../core/local-fault.js'
import type { Logger } from '../../core/logger.js'
import { answerInTime } from './answer-in-time.js'
import {
  AT_ONCE_MS,
  afterBurst,
  BURST_SPACING_MS,
  type Burst,
  burstSize,
  burstVerdict,
  counted,
  NO_COUNTS,
  newBurst,
  nextProbeAt,
  type ProbeCounts,
  withRegular,
} from './probe-counts.js'
import { type HealthAnswer, healthUrl, requestHealth } from './probe-request.js'
import { UsualTime } from './usual-time.js'

/** The guardrails of the probe; read anew for each round, so that a change keeps the counts. */
export interface ProbeSettings {
  /** guardrail `probeIntervalMs`, from start to start */
  readonly intervalMs: number
  /** guardrail `probeTimeoutMs`, over connection, head and body */
  readonly timeoutMs: number
  /** guardrail `probeFailures`: probes of a burst */
  readonly failures: number
}

/** One probe's end. Bad codes are those of `HealthAnswer`, and `timeout`. */
export type ProbeResult = HealthAnswer & { readonly tookMs: number }

export interface ProbeState {
  readonly failuresInARow: number
  readonly goodInARow: number
  /** false: a burst was bad as a whole; undefined while it is not known: before the first result (also after a reset) */
  readonly healthy?: boolean
  /** of the last result; wall-clock ms */
  readonly lastAt?: number
  /** ms since then */
  readonly agoMs?: number
  /** ms since the first good result of the present unbroken row; 0 while failing or unknown */
  readonly goodForMs: number
}

/** Asks the runtime for its health, once an interval. Nothing here throws. */
export interface HealthProbe {
  start(): void
  /** Gives up what is under way, for good; ends when nothing of it is left. */
  stop(): Promise<void>
  /** A live connection to the runtime was refused or reset: a burst at once, 100 ms after the last one's start at the soonest. */
  trouble(): void
  /** A request went out to the runtime. Where no head came for a while although requests go out, one probe is due at once. */
  requestSent(): void
  /** An execution of the runtime got its (good) response head: it lives, whatever its health answers. */
  headCame(): void
  /** Forgets the counts, and what is under way with them; a fresh probe follows at once. */
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
  /** A probe failed by a fault of this machine: it says nothing, and counts for nothing. */
  onLocalFault?(code: string): void
  /** Called after each result, when `state()` tells it already. */
  onResult(result: ProbeResult): void
}

/** ms after which the settings are looked at again while a long interval passes */
const LOOK_MS = 1000
/** ms, or twice as long as a good answer usually takes, after which a regular probe is late: a burst begins without it */
const LATE_MS = 100
/** ms of requests without any response head after which the runtime is asked at once */
const SILENT_MS = 100
/** ms between two looks while too many are under way */
const MIN_WAIT_MS = 10
/** probes under way at once, whatever the size of a burst */
const MAX_OPEN = 50

export function createHealthProbe(deps: HealthProbeDeps): HealthProbe {
  return new Probe(deps)
}

interface Round {
  readonly startedAt: number
  readonly controller: AbortController
  ended: Promise<void>
}

/**
 * One regular probe at a time, the next one armed when the last has ended. A bad or late one, or a live connection that was
 * refused or reset, starts a burst beside it; only a burst condemns the runtime.
 */
class Probe implements HealthProbe {
  #phase: 'idle' | 'running' | 'stopped' = 'idle'
  #counts: ProbeCounts = NO_COUNTS
  #lastAt: number | undefined
  /** the same, monotonic */
  #resultAt: number | undefined
  /** all that is under way */
  readonly #open = new Set<Round>()
  #regular: Round | undefined
  #lastStartedAt = Number.NEGATIVE_INFINITY
  /** a regular probe is wanted at once */
  #wanted = false
  #next: Timer | undefined
  #burst: Burst | undefined
  #burstTimer: Timer | undefined
  #lastBurstAt = Number.NEGATIVE_INFINITY
  /** trouble on a live connection that no burst was begun for yet */
  #troubled = false
  /** an execution of the runtime got its response head; monotonic */
  #headAt = Number.NEGATIVE_INFINITY
  /** a request went out, and no head came since */
  #silentSince: number | undefined
  /** ... and a probe was asked for because of it */
  #asked = false
  readonly #usual = new UsualTime()
  /** when the log was told that it fails, until it was told that it does not; monotonic ms */
  #badSince: number | undefined
  readonly #request: (signal: AbortSignal) => Promise<HealthAnswer>

  constructor(private readonly deps: HealthProbeDeps) {
    const url = healthUrl(deps.url)
    this.#request = deps.request ?? ((signal) => requestHealth(url, signal))
  }

  start(): void {
    if (this.#phase !== 'idle') return
    this.#phase = 'running'
    this.#begin()
  }

  async stop(): Promise<void> {
    this.#phase = 'stopped'
    await Promise.all(this.#giveUpAll())
  }

  trouble(): void {
    if (this.#phase !== 'running' || this.#counts.healthy === false) return
    this.#troubled = true
    this.#beginBurst()
  }

  requestSent(): void {
    const now = this.deps.clock.monotonic()
    this.#silentSince ??= now
    if (this.#asked || now - this.#silentSince < SILENT_MS) return
    this.#asked = true
    this.#wantNow()
  }

  headCame(): void {
    this.#headAt = this.deps.clock.monotonic()
    this.#silentSince = undefined
    this.#asked = false
    // A burst under way can condemn nobody any more; trouble since it began asks for another one at once.
    this.#endBurst()
  }

  reset(): void {
    this.#counts = NO_COUNTS
    this.#troubled = false
    if (this.#phase !== 'running') return
    for (const ended of this.#giveUpAll()) void ended
    this.#wanted = true
    this.#arm()
  }

  state(): ProbeState {
    const { failuresInARow, goodInARow, healthy, goodSince } = this.#counts
    return {
      failuresInARow,
      goodInARow,
      ...(healthy === undefined ? {} : { healthy }),
      ...(this.#lastAt === undefined ? {} : { lastAt: this.#lastAt }),
      ...(this.#resultAt === undefined ? {} : { agoMs: this.deps.clock.monotonic() - this.#resultAt }),
      goodForMs: goodSince === undefined ? 0 : this.deps.clock.monotonic() - goodSince,
    }
  }

  #wantNow(): void {
    if (this.#wanted || this.#phase !== 'running' || this.#counts.healthy === false) return
    this.#wanted = true
    if (this.#regular === undefined) this.#arm()
  }

  #begin(): void {
    this.#wanted = false
    const round = this.#newRound()
    this.#lastStartedAt = round.startedAt
    this.#regular = round
    round.ended = this.#run(round)
  }

  #newRound(): Round {
    const round: Round = {
      startedAt: this.deps.clock.monotonic(),
      controller: new AbortController(),
      ended: Promise.resolve(),
    }
    this.#open.add(round)
    return round
  }

  async #run(round: Round): Promise<void> {
    const lateMs = Math.max(LATE_MS, 2 * this.#usual.ms)
    const late = this.deps.clock.schedule(lateMs, () => {
      if (this.#regular === round) this.#beginBurst()
    })
    const answer = await this.#answer(round)
    late.cancel()
    if (this.#isLocalFault(round, answer)) return
    if (this.#open.has(round)) this.#counts = withRegular(this.#counts, answer.good)
    if (!this.#takes(round, answer)) return
    this.#regular = undefined
    if (!answer.good) this.#beginBurst()
    this.#arm()
  }

  /** Such an answer says nothing of the runtime: it changes no count, and its burst ends without a verdict. */
  #isLocalFault(round: Round, answer: HealthAnswer): boolean {
    if (answer.good || !isLocalFaultCode(answer.code)) return false
    if (!this.#open.delete(round)) return true
    this.deps.onLocalFault?.(answer.code)
    this.#troubled = false
    this.#endBurst()
    if (this.#regular !== round) return true
    this.#regular = undefined
    this.#arm()
    return true
  }

  /** False where it was stopped or reset meanwhile, also by the listener: this answer is nobody's any more. */
  #takes(round: Round, answer: HealthAnswer): boolean {
    if (!this.#open.delete(round)) return false
    const { clock } = this.deps
    const now = clock.monotonic()
    const { goodInARow } = this.#counts
    this.#counts = counted(this.#counts, answer.good, now)
    this.#lastAt = clock.wall()
    this.#resultAt = now
    if (answer.good) {
      this.#usual.record(now - round.startedAt, goodInARow)
      this.#endBurst()
    }
    this.#log(answer, now)
    const regular = this.#regular
    this.#tell({ ...answer, tookMs: now - round.startedAt })
    return this.#phase === 'running' && this.#regular === regular
  }

  #arm(): void {
    this.#next?.cancel()
    const { clock, settings } = this.deps
    const now = clock.monotonic()
    const due = nextProbeAt(this.#lastStartedAt, settings().intervalMs, this.#wanted)
    if (due <= now) this.#begin()
    else this.#next = clock.schedule(Math.min(due - now, LOOK_MS), () => this.#arm())
  }

  /** Nothing while there is one, or where the runtime is condemned already; at the soonest a while after the last one. */
  #beginBurst(): void {
    if (this.#burst !== undefined || this.#burstTimer !== undefined) return
    if (this.#phase !== 'running' || this.#counts.healthy === false) return
    const { clock, settings } = this.deps
    const now = clock.monotonic()
    const waitMs = this.#lastBurstAt + AT_ONCE_MS - now
    if (waitMs > 0) {
      this.#burstTimer = clock.schedule(waitMs, () => {
        this.#burstTimer = undefined
        this.#beginBurst()
      })
      return
    }
    this.#troubled = false
    this.#lastBurstAt = now
    this.#burst = newBurst(now, burstSize(this.#counts, settings().failures))
    this.#sendNext(this.#burst)
  }

  #sendNext(burst: Burst): void {
    this.#burstTimer = undefined
    if (this.#open.size < MAX_OPEN) {
      const sent = { ...burst, sent: burst.sent + 1 }
      this.#burst = sent
      const round = this.#newRound()
      round.ended = this.#runInBurst(round, sent.startedAt)
    }
    if (this.#burst === undefined || this.#burst.sent >= this.#burst.size) return
    // By the burst's own beginning: timers that are a little late each would add up.
    const { clock } = this.deps
    const due = this.#burst.startedAt + this.#burst.sent * BURST_SPACING_MS
    this.#burstTimer = clock.schedule(Math.max(MIN_WAIT_MS, due - clock.monotonic()), () => {
      if (this.#burst !== undefined) this.#sendNext(this.#burst)
    })
  }

  async #runInBurst(round: Round, burstAt: number): Promise<void> {
    const answer = await this.#answer(round)
    if (this.#isLocalFault(round, answer)) return
    const burst = this.#burst
    if (burst?.startedAt !== burstAt || answer.good || !this.#open.has(round)) {
      this.#takes(round, answer)
      return
    }
    const failed = { ...burst, bad: burst.bad + 1 }
    this.#burst = failed
    const verdict = burstVerdict(failed, this.#headAt)
    if (verdict === 'open') {
      this.#takes(round, answer)
      return
    }
    // The count of this answer is told together with what it means.
    this.#counts = afterBurst(this.#counts, verdict)
    if (verdict === 'unhealthy') this.#troubled = false
    this.#takes(round, answer)
    if (this.#burst === failed) this.#endBurst()
  }

  /** What is still under way of it is no more of interest; trouble since it began asks for another one. */
  #endBurst(): void {
    if (this.#burst === undefined) return
    this.#burst = undefined
    this.#burstTimer?.cancel()
    this.#burstTimer = undefined
    for (const round of this.#open) if (round !== this.#regular) void this.#giveUp(round)
    if (this.#troubled) this.#beginBurst()
  }

  #giveUp(round: Round): Promise<void> {
    this.#open.delete(round)
    round.controller.abort()
    return round.ended
  }

  #giveUpAll(): Promise<void>[] {
    this.#next?.cancel()
    this.#burstTimer?.cancel()
    this.#burstTimer = undefined
    this.#burst = undefined
    this.#regular = undefined
    return [...this.#open].map((round) => this.#giveUp(round))
  }

  #answer({ controller }: Round): Promise<HealthAnswer> {
    const { clock, settings } = this.deps
    return answerInTime(this.#request, controller, settings().timeoutMs, clock)
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
