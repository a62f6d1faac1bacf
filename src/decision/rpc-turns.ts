import { ErrorCode, type EvaluationDetails, type FlagValue } from '@openfeature/server-sdk'
import type { Clock, Timer } from '../core/clock.js'
import type { Caller } from './caller.js'
import type { TurnFlags } from './flags.js'
import { within } from './start-bound.js'
import { allDetails, type TurnDetails, type TurnEvaluations } from './turn-reader.js'
import type { TurnSettler } from './turn-settler.js'

/** ms for all flags of a turn, whatever flagd does; the last one is for answers that wait behind a busy event loop */
const BUDGET_MS = 49
const LAST_LOOK_MS = 1
/** ms between two probes of a daemon that refuses connections */
const PROBE_INTERVAL_MS = 250
/** ms for one probe; a silent connection is dropped by keep-alive after 25 s, which ends the calls on it */
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
  /** flagd answered a probe, with this */
  onAnswer(details: TurnDetails): void
}

/** The probe's caller; nobody's org, session or agent. */
export const PROBE: Caller = { orgId: '', userId: '', agentId: '', sessionId: 'flags-probe' }

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
    if (this.#isUnanswered(details)) {
      this.leave()
      void allDetails(evaluations).then((late) => {
        if (!this.#isUnanswered(late)) settler.settleLate(caller, late)
      })
    }
    return settler.settle(caller, details)
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
    const answers = allDetails(this.deps.evaluate(PROBE))
    const details = await within(answers, PROBE_DEADLINE_MS, this.deps.clock)
    if (this.#closed || details === undefined || this.#isUnanswered(details)) return false
    this.#away = false
    this.deps.onAnswer(details)
    return true
  }

  /** Flags that have answered when the budget is over. */
  #inTime(evaluations: TurnEvaluations): Promise<Partial<TurnDetails>> {
    const answers: { -readonly [Flag in keyof TurnDetails]?: TurnDetails[Flag] } = {}
    const { clock } = this.deps
    return new Promise((resolve) => {
      let timer = clock.schedule(BUDGET_MS, () => {
        timer = clock.schedule(LAST_LOOK_MS, () => resolve({ ...answers }))
      })
      let missing = 5
      const arrived = (): void => {
        missing -= 1
        if (missing > 0) return
        timer.cancel()
        resolve(answers)
      }
      const { mode, shadow, override, guardrails, profile } = evaluations
      void mode.then((details) => {
        answers.mode = details
        arrived()
      })
      void shadow.then((details) => {
        answers.shadow = details
        arrived()
      })
      void override.then((details) => {
        answers.override = details
        arrived()
      })
      void guardrails.then((details) => {
        answers.guardrails = details
        arrived()
      })
      void profile.then((details) => {
        answers.profile = details
        arrived()
      })
    })
  }

  #isUnanswered(details: Partial<TurnDetails>): boolean {
    return (
      this.#isSilent(details.mode) ||
      this.#isSilent(details.shadow) ||
      this.#isSilent(details.override) ||
      this.#isSilent(details.guardrails) ||
      this.#isSilent(details.profile)
    )
  }

  /** UNAVAILABLE comes out of the provider as FLAG_NOT_FOUND, so that code says nothing while it is not connected. */
  #isSilent(details: EvaluationDetails<FlagValue> | undefined): boolean {
    if (details === undefined) return true
    const { errorCode } = details
    if (errorCode === ErrorCode.PROVIDER_NOT_READY || errorCode === ErrorCode.PROVIDER_FATAL) return true
    return errorCode === ErrorCode.FLAG_NOT_FOUND && !this.deps.isConnected()
  }
}
