import { ErrorCode, type EvaluationDetails, type FlagValue } from '@openfeature/server-sdk'
import { bounded } from '../../core/bounded.js'
import type { Clock, Timer } from '../../core/clock.js'
import { type Caller, NOBODY } from '../caller.js'
import type { TurnFlags } from '../flags.js'
import {
  type ServiceAnswers,
  type ServiceEvaluations,
  serviceDetails,
} from '../values/service-flag-reader.js'
import {
  allDetails,
  type TurnAnswers,
  type TurnDetails,
  type TurnEvaluations,
} from '../values/turn-flag-reader.js'
import type { TurnFlagValues } from '../values/turn-flag-values.js'
import { startBudget } from './answer-budget.js'
import { LateAnswers } from './late-answers.js'

/** ms between two probes of a daemon that refuses connections */
const PROBE_INTERVAL_MS = 250
/** ms for one probe; a silent connection is dropped by keep-alive after 80 s, which ends the calls on it */
const PROBE_DEADLINE_MS = 30_000

/** ms without any answer, after one was missed, until flagd counts as silent */
const SILENT_MS = 500

/** What the turns need of the resolver around them. */
export interface RpcTurnsDeps {
  readonly clock: Clock
  readonly flagValues: TurnFlagValues
  evaluate(caller: Caller): TurnEvaluations
  /** A turn's flags while nobody is asked; default: all as they are known. */
  recall?(caller: Caller): TurnFlags | Promise<TurnFlags>
  /** the flags that are evaluated in this process: their answers say nothing about flagd; default: none */
  readonly ownFlags?: ReadonlySet<string>
  /** the provider's status is READY */
  isConnected(): boolean
  /** flagd does not answer (any more) */
  onAway(): void
  /** flagd's answers come, but often later than turns wait; or they do not any more */
  onLate(isLate: boolean): void
  /** flagd answered a probe, with this; `wasAway`: turns did without it until now */
  onAnswer(details: TurnDetails, wasAway: boolean): void
}

type Answer = EvaluationDetails<FlagValue> | undefined
type Answers = TurnAnswers | ServiceAnswers
/** How the answers to one question came: all, some not in time, or with the word that nobody is there. */
type Coming = 'answered' | 'late' | 'gone'

/**
 * Turns by resolver `rpc`. A turn waits at most 50 ms and then takes what is known; its late answer is kept. flagd is away
 * where it is gone, or nothing at all came of it for half a second: then turns use what is known at once, until one probe
 * in flight brings it back.
 */
export class RpcTurns {
  #away = true
  #probing: Promise<void> | undefined
  #nextProbe: Timer | undefined
  #silence: Timer | undefined
  readonly #lateness = new LateAnswers()
  #toldLate = false
  /** how often flagd went away: an answer to a question from before that waited in its silence */
  #silences = 0
  #closed = false

  constructor(private readonly deps: RpcTurnsDeps) {}

  get away(): boolean {
    return this.#away
  }

  async forTurn(caller: Caller): Promise<TurnFlags> {
    const { flagValues } = this.deps
    if (this.#away) return this.deps.recall?.(caller) ?? flagValues.recall(caller)
    const silences = this.#silences
    const evaluations = this.deps.evaluate(caller)
    const details = await this.#inTime(evaluations)
    const flags = flagValues.resolve(caller, details)
    const known = flagValues.known(caller)
    this.#note(
      details,
      silences,
      () => allDetails(evaluations),
      (late) => flagValues.resolveLate(caller, late, known),
    )
    return flags
  }

  /** What the service asks for itself, bounded like a turn; a miss here spares the turns theirs. Nothing while away. */
  async forService(evaluate: () => ServiceEvaluations): Promise<ServiceAnswers> {
    if (this.#away || this.#closed) return {}
    const silences = this.#silences
    const evaluations = evaluate()
    const budget = startBudget(this.deps.clock)
    const [guardrails, policy, override, rollout, mode] = await Promise.all([
      budget.inTime(evaluations.guardrails),
      budget.inTime(evaluations.policy),
      budget.inTime(evaluations.override),
      budget.inTime(evaluations.rollout),
      budget.inTime(evaluations.mode),
    ])
    budget.end()
    const answers = { guardrails, policy, override, rollout, mode }
    this.#note(answers, silences, () => serviceDetails(evaluations))
    return answers
  }

  /** flagd is known to be away: no turn waits for it from now on. */
  leave(): void {
    if (this.#closed || this.#away) return
    this.#away = true
    this.#silences += 1
    this.#heard()
    this.deps.onAway()
    void this.probe()
  }

  /** Asks flagd whether it is there; one question at a time. Ends with the answer, or without one. Never rejects. */
  probe(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#nextProbe?.cancel()
    return this.#probing ?? this.#startProbe()
  }

  /** The same where another provider answers from now on: a question to the one before it is not waited for. */
  probeAnew(): Promise<void> {
    this.#probing = undefined
    return this.probe()
  }

  close(): void {
    this.#closed = true
    this.#nextProbe?.cancel()
    this.#silence?.cancel()
  }

  /** Draws the conclusions from one question, asked after so many silences; `keepLate` gets its answers where they came after the turn. */
  #note<Late extends Answers>(
    given: Answers,
    silences: number,
    all: () => Promise<Late>,
    keepLate: (late: Late) => void = () => {},
  ): void {
    if (this.#closed) return
    const answers = this.#asked(given)
    const coming = this.#coming(answers)
    if (coming === 'gone') {
      this.leave()
      return
    }
    if (answers.some((details) => details !== undefined)) this.#heard()
    if (coming === 'answered') {
      this.#lateness.inTime(this.deps.clock.monotonic())
      this.#tellLateness()
      return
    }
    this.#silence ??= this.deps.clock.schedule(SILENT_MS, () => this.leave())
    void all().then((late) => {
      if (this.#closed || this.#coming(this.#asked(late)) !== 'answered') return
      this.#heard()
      // While flagd is away that is told, and what waited in a silent one comes at once when it is back, before or after the probe.
      if (silences === this.#silences) this.#lateness.missed(this.deps.clock.monotonic())
      this.#tellLateness()
      keepLate(late)
    })
  }

  #heard(): void {
    this.#silence?.cancel()
    this.#silence = undefined
  }

  #tellLateness(): void {
    const { told } = this.#lateness
    if (told !== this.#toldLate) this.deps.onLate(told)
    this.#toldLate = told
  }

  #startProbe(): Promise<void> {
    const isCurrent = (): boolean => this.#probing === probing
    const probing: Promise<void> = this.#probeOnce(isCurrent).then((answered) => {
      if (!isCurrent()) return
      this.#probing = undefined
      if (!answered && !this.#closed)
        this.#nextProbe = this.deps.clock.schedule(PROBE_INTERVAL_MS, () => void this.probe())
    })
    this.#probing = probing
    return probing
  }

  async #probeOnce(isCurrent: () => boolean): Promise<boolean> {
    const answers = allDetails(this.deps.evaluate(NOBODY))
    const details = await bounded(answers, PROBE_DEADLINE_MS, this.deps.clock)
    if (this.#closed || details === 'late' || !isCurrent()) return false
    if (this.#coming(this.#asked(details)) !== 'answered') return false
    this.#heard()
    const wasAway = this.#away
    this.#away = false
    this.deps.onAnswer(details, wasAway)
    return true
  }

  /** What has answered when the budget is over. */
  async #inTime(evaluations: TurnEvaluations): Promise<TurnAnswers> {
    const budget = startBudget(this.deps.clock)
    const [mode, shadow, override, rollout, guardrails, profile, route] = await Promise.all([
      budget.inTime(evaluations.mode),
      budget.inTime(evaluations.shadow),
      budget.inTime(evaluations.override),
      budget.inTime(evaluations.rollout),
      budget.inTime(evaluations.guardrails),
      budget.inTime(evaluations.profile),
      budget.inTime(evaluations.route),
    ])
    budget.end()
    return { mode, shadow, override, rollout, guardrails, profile, route }
  }

  #asked(answers: Answers): Answer[] {
    const { ownFlags } = this.deps
    if (ownFlags === undefined) return Object.values(answers)
    return Object.entries(answers).flatMap(([flag, details]) => (ownFlags.has(flag) ? [] : [details]))
  }

  #coming(answers: readonly Answer[]): Coming {
    if (answers.some((details) => details !== undefined && this.#isGone(details))) return 'gone'
    return answers.includes(undefined) ? 'late' : 'answered'
  }

  /** UNAVAILABLE comes out of the provider as FLAG_NOT_FOUND, so that code says nothing while it is not connected. */
  #isGone({ errorCode }: EvaluationDetails<FlagValue>): boolean {
    if (errorCode === ErrorCode.PROVIDER_NOT_READY || errorCode === ErrorCode.PROVIDER_FATAL) return true
    return errorCode === ErrorCode.FLAG_NOT_FOUND && !this.deps.isConnected()
  }
}
