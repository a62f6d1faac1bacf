import type { Clock, Timer } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import { Turnstile } from '../../core/turnstile.js'
import type { ChatBackend, Turn } from '../../execution/backend.js'
import type { ExecutionLimits } from '../../execution/execution.js'
import type { Outcome } from '../../execution/outcome.js'
import type { Comparison, DroppedShadow } from '../../journal/comparison.js'
import type { MessageBody } from '../../protocol/events.js'
import type { AbortCode } from '../../protocol/execution-codes.js'
import type { Decision, ExecutionMode } from '../../protocol/modes.js'
import { comparisonOf, isEnded } from '../compare/comparison-of.js'
import { Observer } from '../compare/observer.js'
import { countsOf, newTally, type ShadowCounts, type ShadowDropReason } from '../report/shadow-counts.js'
import { isAa } from './aa-share.js'
import { type CandidateEnd, runCandidate } from './candidate.js'
import type { FenceGate } from './fence-gate.js'
import type { Pressure } from './loop-pressure.js'
import { OpenPairs } from './open-pairs.js'
import { createShadowLog } from './shadow-log.js'
import { candidateMode, type Pair } from './shadow-pair.js'
import { shadowTurn } from './shadow-turn.js'

/** What the turn's way tells of the control while it runs. Nothing here throws, waits, or does more than look. */
export interface ShadowHandle {
  /** The control's request goes out to its backend. The first one counts. */
  underWay(): void
  saw(batch: readonly MessageBody[]): void
  /** The first one counts: what follows a failover is no more of the control. */
  ended(outcome: Outcome): void
  /** The turn is over. Without an outcome until now there is nothing to compare. */
  left(): void
}

/** Runs a share of the turns on another backend too, silently, and compares. */
export interface ShadowRunner {
  /**
   * To be called before the turn's own request is made. The candidate starts in a later round of the event loop than the one
   * in which that was told to be on its way, or to have failed. Undefined if the turn is not selected, or is dropped at
   * once. Never throws.
   * @param limits of the turn; they bind its candidate too
   */
  consider(turn: Turn, decision: Decision, limits: ExecutionLimits): ShadowHandle | undefined
  counts(): ShadowCounts
  /** Takes no more, lets what runs come to its end within `drainMs`, then gives it up, within a second. */
  stop(drainMs: number): Promise<void>
}

export interface ShadowRunnerDeps {
  /** with connections of their own: none of a user's is taken, and trouble on them is nobody else's */
  readonly backends: Readonly<Record<ExecutionMode, ChatBackend>>
  readonly clock: Clock
  readonly logger: Logger
  readonly ids: { newId(): string }
  readonly replica: string
  settings(): {
    /** 0 to 100: of the selected turns, how many run the control's backend once more */
    readonly aaPercent: number
    readonly keepContent: boolean
  }
  pressure(): Pressure
  /** The control is in trouble: shadows would add to it, and comparing with it says little. */
  sick(control: ExecutionMode): boolean
  /** absent: shadows go to the runtime whether it keeps the fence or not */
  readonly fence?: FenceGate
  /** Never waits. */
  keep(comparison: Comparison): void
  /** Never waits. */
  keepDrop(drop: DroppedShadow): void
  /** candidates at a time; default 32 */
  readonly maxConcurrent?: number
  /** turns waiting for a place; default 64 */
  readonly maxQueue?: number
  /** shadowed turns in all, those whose control still runs among them; default 256 (64 Ki of text a side at most) */
  readonly maxOpen?: number
}

/** ms a turn may wait for a place: a candidate much later than its control meets another backend */
const MAX_WAIT_MS = 2000
/** ms between two looks at what is open */
const TICK_MS = 250
/** ms for what runs to be given up, the cancel included */
const STOP_MS = 900

export function createShadowRunner(deps: ShadowRunnerDeps): ShadowRunner {
  return new Runner(deps)
}

class Runner implements ShadowRunner {
  readonly #tally = newTally()
  readonly #pairs = new OpenPairs()
  readonly #turnstile = new Turnstile()
  readonly #log: ReturnType<typeof createShadowLog>
  readonly #most: { readonly running: number; readonly queued: number; readonly open: number }
  #stopped = false
  #pumpTimer: Timer | undefined
  #tickTimer: Timer | undefined
  #wasPressed = false

  constructor(private readonly deps: ShadowRunnerDeps) {
    const { maxConcurrent = 32, maxQueue = 64, maxOpen = 256 } = deps
    this.#most = { running: maxConcurrent, queued: maxQueue, open: maxOpen }
    this.#log = createShadowLog(deps.clock, deps.logger)
  }

  consider(turn: Turn, decision: Decision, limits: ExecutionLimits): ShadowHandle | undefined {
    if (!decision.shadow || turn.shadow === true) return undefined
    try {
      const reason = this.#refusal(decision.mode)
      if (reason === undefined) return this.#take(turn, decision.mode, limits)
      this.#countDrop(turn, decision.mode, this.deps.clock.wall(), reason)
    } catch (thrown) {
      this.#broke(thrown)
      this.#countDrop(turn, decision.mode, this.deps.clock.wall(), 'fault')
    }
    return undefined
  }

  counts(): ShadowCounts {
    return countsOf(this.#tally, this.#pairs.running)
  }

  async stop(drainMs: number): Promise<void> {
    this.#stopped = true
    for (const pair of this.#pairs.all()) if (isUnstarted(pair)) this.#drop(pair, 'draining')
    await this.#pairs.idle(drainMs, this.deps.clock)
    for (const pair of this.#pairs.all()) this.#drop(pair, 'draining')
    await Promise.all([this.#pairs.idle(STOP_MS, this.deps.clock), this.deps.fence?.stop()])
    this.#pumpTimer?.cancel()
    this.#tickTimer?.cancel()
  }

  #refusal(control: ExecutionMode): ShadowDropReason | undefined {
    if (this.#stopped) return 'draining'
    const isFull = this.#isQueueFull() || this.#pairs.size >= this.#most.open
    return this.#trouble(control) ?? (isFull ? 'busy' : undefined)
  }

  #isQueueFull(): boolean {
    return this.#pairs.queued >= this.#most.queued
  }

  #trouble(control: ExecutionMode): ShadowDropReason | undefined {
    if (this.deps.sick(control)) return 'sick'
    return this.deps.pressure() === 'none' ? undefined : 'pressure'
  }

  #take(turn: Turn, control: ExecutionMode, limits: ExecutionLimits): ShadowHandle {
    const { clock, settings } = this.deps
    const { aaPercent } = settings()
    const pair: Pair = {
      turn,
      limits,
      control,
      kind: kindOf(turn, aaPercent),
      aaPercent,
      at: clock.wall(),
      observer: new Observer(),
      controlEnd: undefined,
      stage: { kind: 'waiting' },
    }
    this.#pairs.add(pair)
    this.#tickTimer ??= clock.schedule(TICK_MS, this.#tick)
    return this.#handleOf(pair)
  }

  #handleOf(pair: Pair): ShadowHandle {
    const isWatched = (): boolean => pair.controlEnd === undefined && pair.stage.kind !== 'closed'
    return {
      underWay: () => this.#controlUnderWay(pair),
      saw(batch) {
        if (isWatched()) pair.observer.saw(batch)
      },
      ended: (outcome) => {
        if (!isWatched()) return
        if (outcome.result === 'rejected') this.#drop(pair, 'rejected')
        else if (outcome.result === 'aborted' && !outlives(pair, outcome.code)) this.#drop(pair, 'aborted')
        else {
          pair.controlEnd = outcome
          // A control that found no connection is compared like any other.
          this.#controlUnderWay(pair)
          this.#sideEnded(pair)
        }
      },
      left: () => {
        if (isWatched()) this.#drop(pair, 'aborted')
      },
    }
  }

  #controlUnderWay(pair: Pair): void {
    if (pair.stage.kind !== 'waiting') return
    if (this.#isQueueFull()) {
      this.#drop(pair, 'busy')
      return
    }
    this.#pairs.enqueue(pair, this.deps.clock.monotonic())
    this.#pumpSoon()
  }

  /** Compared in a later round: the user's turn may be on the way just now, and must not pay for it. */
  #sideEnded(pair: Pair): void {
    if (pair.controlEnd === undefined || pair.stage.kind !== 'ended') return
    this.#pairs.addComparable(pair)
    this.#pumpSoon()
  }

  #pumpSoon(): void {
    this.#pumpTimer ??= this.deps.clock.schedule(0, this.#pump)
  }

  /** At most one start and one comparison a round: each costs about a millisecond, which a burst would add up for the users. */
  readonly #pump = (): void => {
    this.#pumpTimer = undefined
    this.#expire()
    if (this.#hasPlace()) this.#startNext()
    const pair = this.#pairs.nextComparable()
    if (pair !== undefined) this.#compare(pair)
    if (this.#pairs.comparable > 0 || (this.#pairs.queued > 0 && this.#hasPlace())) this.#pumpSoon()
  }

  #hasPlace(): boolean {
    return this.#pairs.running < this.#most.running
  }

  #startNext(): void {
    const pair = this.#pairs.dequeue()
    if (pair === undefined) return
    const reason = this.#trouble(pair.control) ?? this.#unfenced(pair)
    if (reason === undefined) this.#start(pair)
    else this.#drop(pair, reason)
  }

  #unfenced(pair: Pair): ShadowDropReason | undefined {
    const { fence } = this.deps
    if (fence === undefined || candidateMode(pair) !== 'runtime_orchestrator') return undefined
    return fence.mayPass(pair.turn, pair.limits) ? undefined : 'unfenced'
  }

  #start(pair: Pair): void {
    try {
      this.#run(pair)
    } catch (thrown) {
      this.#broke(thrown)
      this.#drop(pair, 'fault')
    }
  }

  #run(pair: Pair): void {
    const { backends, ids, clock, logger } = this.deps
    pair.stage = { kind: 'running' }
    const candidate = runCandidate(backends[candidateMode(pair)], shadowTurn(pair.turn, ids), pair.limits, {
      clock,
      logger,
      turnstile: this.#turnstile,
      onEnd: (end) => this.#candidateEnded(pair, end),
      onFlood: () => this.#drop(pair, 'flood'),
    })
    if (pair.stage.kind === 'running') pair.stage = { kind: 'running', candidate }
    const gone = candidate.gone.catch((thrown) => this.#broke(thrown))
    this.#pairs.addRunning(gone, () => {
      if (this.#pairs.queued > 0) this.#pumpSoon()
    })
  }

  #candidateEnded(pair: Pair, end: CandidateEnd): void {
    const { mode, result } = end.outcome
    this.#tally.executions[mode][result] += 1
    this.#tally.tokens[mode] += end.tokens
    this.#tally.fenceViolations += end.fenceViolations
    this.#log.ended(pair, end)
    if (pair.stage.kind !== 'running') return
    if (result === 'rejected') {
      this.#drop(pair, 'rejected')
      return
    }
    // Given up at its head by us, so it says nothing of the runtime's answers.
    if (mode === 'runtime_orchestrator' && this.deps.fence?.isOpen() === false) {
      this.#drop(pair, 'unfenced')
      return
    }
    pair.stage = { kind: 'ended', end }
    this.#sideEnded(pair)
  }

  #compare(pair: Pair): void {
    const { stage, controlEnd, observer, turn, kind, aaPercent, at } = pair
    this.#pairs.close(pair)
    if (stage.kind !== 'ended' || controlEnd === undefined || !isEnded(stage.end.outcome)) return
    const { replica, settings, keep } = this.deps
    try {
      const control = { outcome: controlEnd, observer }
      const candidate = { outcome: stage.end.outcome, observer: stage.end.observer }
      const { fenceViolations } = stage.end
      const { keepContent } = settings()
      keep(
        comparisonOf(
          { turn, kind, aaPercent, at, replica, control, candidate, fenceViolations },
          keepContent,
        ),
      )
      this.#tally.compared += 1
    } catch (thrown) {
      this.#broke(thrown)
      this.#countDrop(turn, pair.control, at, 'fault', kind)
    }
  }

  readonly #tick = (): void => {
    this.#tickTimer = undefined
    this.#expire()
    const isPressed = this.deps.pressure() !== 'none'
    // A look may be late once by a collection of garbage; giving up what runs takes the slow ones out of the comparison.
    const lasts = isPressed && this.#wasPressed
    this.#wasPressed = isPressed
    const sick = {
      direct_llm: this.deps.sick('direct_llm'),
      runtime_orchestrator: this.deps.sick('runtime_orchestrator'),
    }
    for (const pair of this.#pairs.all()) {
      if (!isUnstarted(pair) && pair.stage.kind !== 'running') continue
      if (sick[pair.control]) this.#drop(pair, 'sick')
      else if (lasts || (isPressed && isUnstarted(pair))) this.#drop(pair, 'pressure')
    }
    if (this.#pairs.size > 0) this.#tickTimer = this.deps.clock.schedule(TICK_MS, this.#tick)
    else this.#wasPressed = false
  }

  #expire(): void {
    const edge = this.deps.clock.monotonic() - MAX_WAIT_MS
    for (
      let pair = this.#pairs.head();
      pair?.stage.kind === 'queued' && pair.stage.since < edge;
      pair = this.#pairs.head()
    )
      this.#drop(pair, 'busy')
  }

  #drop(pair: Pair, reason: ShadowDropReason): void {
    const { stage } = pair
    if (stage.kind === 'closed') return
    this.#pairs.close(pair)
    if (stage.kind === 'running')
      stage.candidate?.abort(reason === 'aborted' ? 'client_gone' : 'shutting_down')
    this.#countDrop(pair.turn, pair.control, pair.at, reason, pair.kind)
  }

  /** @param known what the turn was taken for; absent if it was not taken */
  #countDrop(
    turn: Turn,
    controlMode: ExecutionMode,
    at: number,
    reason: ShadowDropReason,
    known?: Pair['kind'],
  ): void {
    this.#tally.dropped[reason] += 1
    const { replica, keepDrop, settings } = this.deps
    const { orgId, agentId } = turn.caller
    try {
      const kind = known ?? kindOf(turn, settings().aaPercent)
      keepDrop({ at, replica, orgId, agentId, controlMode, reason, kind })
    } catch (thrown) {
      this.#broke(thrown)
    }
  }

  #broke(thrown: unknown): void {
    this.deps.logger.error({ error: errorText(thrown) }, 'a shadow broke')
  }
}

const kindOf = ({ messageId }: Turn, aaPercent: number): Pair['kind'] =>
  isAa(messageId, aaPercent) ? 'aa' : 'ab'

/**
 * A candidate that has begun goes on when the user leaves: were it given up with the control, the slow ones would go
 * uncompared. The control then counts as a time that is only known to be longer.
 */
const outlives = ({ stage }: Pair, code: AbortCode): boolean =>
  (code === 'client_gone' || code === 'stopped') && (stage.kind === 'running' || stage.kind === 'ended')

const isUnstarted = ({ stage }: Pair): boolean => stage.kind === 'waiting' || stage.kind === 'queued'
