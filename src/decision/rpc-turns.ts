import { ErrorCode, type EvaluationDetails, type FlagValue } from '@openfeature/server-sdk'
import { bounded } from '../core/bounded.js'
import type { Clock, Timer } from '../core/clock.js'
import { startBudget } from './answer-budget.js'
import { type Caller, NOBODY } from './caller.js'
import type { TurnFlags } from './flags.js'
import type { ServiceAnswers, ServiceEvaluations } from './service-reader.js'
import { allDetails, type TurnAnswers, type TurnDetails, type TurnEvaluations } from './turn-reader.js'
import type { TurnSettler } from './turn-settler.js'

/** ms between two probes of a daemon that refuses connections */
const PROBE_INTERVAL_MS = 250
/** ms for one probe; a silent connection is dropped by keep-alive after 80 s, which ends the calls on it */
const PROBE_DEADLINE_MS = 30_000

/** What the turns need of the resolver around them. */
export interface RpcTurnsDeps {
  readonly clock: Clock
  readonly settler: TurnSettler
  evaluate(caller: Caller): TurnEvaluations
  /** the provider's status is READY */
  isConnected(): boolean
  /** flagd does not answer (any more) */
  onAway(): void
  /** flagd answered a probe, with this; `wasAway`: turns did without it until now */
  onAnswer(details: TurnDetails, wasAway: boolean): void
}

/**
 * Turns by resolver `rpc`. A turn waits at most 50 ms; after a miss turns use what is known at once, until one probe in
 * flight brings the daemon back.
 */
export class RpcTurns {
  #away = true
  #probing: Promise<void> | undefined
  #nextProbe: Timer | undefined
  #closed = false

  constructor(private readonly deps: RpcTurnsDeps) {}

  get away(): boolean {
    return this.#away
  }

  async forTurn(caller: Caller): Promise<TurnFlags> {
    const { settler } = this.deps
    if (this.#away) return settler.recall(caller)
    const evaluations = this.deps.evaluate(caller)
    const details = await this.#inTime(evaluations)
    if (this.#isAnySilent(Object.values(details))) {
      this.leave()
      void allDetails(evaluations).then((late) => {
        if (!this.#isAnySilent(Object.values(late))) settler.settleLate(caller, late)
      })
    }
    return settler.settle(caller, details)
  }

  /** What the service asks for itself, bounded like a turn; a miss here spares the turns theirs. Nothing while away. */
  async forService(evaluate: () => ServiceEvaluations): Promise<ServiceAnswers> {
    if (this.#away || this.#closed) return {}
    const evaluations = evaluate()
    const budget = startBudget(this.deps.clock)
    const [guardrails, policy, override] = await Promise.all([
      budget.inTime(evaluations.guardrails),
      budget.inTime(evaluations.policy),
      budget.inTime(evaluations.override),
    ])
    budget.end()
    if (this.#isAnySilent([guardrails, policy, override])) this.leave()
    return { guardrails, policy, override }
  }

  /** flagd is known to be away: no turn waits for it from now on. */
  leave(): void {
    if (this.#closed || this.#away) return
    this.#away = true
    this.deps.onAway()
    void this.probe()
  }

  /** Asks flagd whether it is there; one question at a time. Ends with the answer, or without one. Never rejects. */
  probe(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#nextProbe?.cancel()
    this.#probing ??= this.#probeOnce().then((answered) => {
      this.#probing = undefined
      if (!answered && !this.#closed)
        this.#nextProbe = this.deps.clock.schedule(PROBE_INTERVAL_MS, () => void this.probe())
    })
    return this.#probing
  }

  close(): void {
    this.#closed = true
    this.#nextProbe?.cancel()
  }

  async #probeOnce(): Promise<boolean> {
    const answers = allDetails(this.deps.evaluate(NOBODY))
    const details = await bounded(answers, PROBE_DEADLINE_MS, this.deps.clock)
    if (this.#closed || details === 'late') return false
    if (this.#isAnySilent(Object.values(details))) return false
    const wasAway = this.#away
    this.#away = false
    this.deps.onAnswer(details, wasAway)
    return true
  }

  /** What has answered when the budget is over. */
  async #inTime(evaluations: TurnEvaluations): Promise<TurnAnswers> {
    const budget = startBudget(this.deps.clock)
    const [mode, shadow, override, guardrails, profile] = await Promise.all([
      budget.inTime(evaluations.mode),
      budget.inTime(evaluations.shadow),
      budget.inTime(evaluations.override),
      budget.inTime(evaluations.guardrails),
      budget.inTime(evaluations.profile),
    ])
    budget.end()
    return { mode, shadow, override, guardrails, profile }
  }

  #isAnySilent(answers: readonly (EvaluationDetails<FlagValue> | undefined)[]): boolean {
    return answers.some((details) => this.#isSilent(details))
  }

  /** UNAVAILABLE comes out of the provider as FLAG_NOT_FOUND, so that code says nothing while it is not connected. */
  #isSilent(details: EvaluationDetails<FlagValue> | undefined): boolean {
    if (details === undefined) return true
    const { errorCode } = details
    if (errorCode === ErrorCode.PROVIDER_NOT_READY || errorCode === ErrorCode.PROVIDER_FATAL) return true
    return errorCode === ErrorCode.FLAG_NOT_FOUND && !this.deps.isConnected()
  }
}
