import { silentLogger } from '../core/logger.js'
import type { Outcome, OutcomeResult } from '../execution/outcome.js'
import type { Command } from '../fallback/fallback.js'
import { createFallback } from '../fallback/fallback-loop.js'
import type { LoopGuardrails, RunningFallback } from '../fallback/loop/running-fallback.js'
import type { HealthProbe } from '../fallback/probe/probe.js'
import type { JudgedExecution } from '../journal/comparison.js'
import type { Transition } from '../journal/journal.js'
import { createJudgedLog } from '../metrics/windows/judged-log.js'
import { createJudgedWindow } from '../metrics/windows/judged-window.js'
import type { FallbackStateName } from '../protocol/fallback.js'
import { createMemoryFiles, createMemoryFlagStore } from '../store/file/memory-flag-store.js'
import { NEUTRAL } from '../store/override/override.js'
import { renderOverride } from '../store/override/override-rendering.js'
import { SimulatedClock } from './simulated-clock.js'

/** One thing the fallback saw. Wall-clock ms. */
export type ReplayEvent = { readonly at: number } & (
  | { readonly kind: 'execution'; readonly execution: JudgedExecution }
  | { readonly kind: 'probe'; readonly healthy: boolean }
  | { readonly kind: 'command'; readonly command: Command }
)

export interface ReplayOptions {
  /** wall-clock ms; what was before `reportFrom` fills the windows, and its transitions are not told */
  readonly from: number
  readonly reportFrom: number
  readonly to: number
  readonly guardrails: LoopGuardrails
  /** transitions that are told at most */
  readonly maxTransitions: number
  /** Awaited after each step, when nothing is under way in the simulation but promises. */
  settle(): Promise<void>
  /** Asked after each step; where it says so, the replay ends early. */
  isOver(): boolean
}

export interface ReplayedTransitions {
  readonly stateAtStart: FallbackStateName
  /** oldest first */
  readonly transitions: readonly Transition[]
  /** wall-clock ms up to which all was replayed */
  readonly until: number
  readonly endedBy: 'end' | 'budget' | 'transitions'
}

/** the middle of what chance adds to a hold */
const JITTER = 0.5

/**
 * The fallback's loop and its machine over kept evidence, on a clock of their own: the transitions these guardrails would have
 * made. It touches nothing outside: flag store, windows and clock are its own. The same events give the same answer.
 * @param events by rising instants, page by page
 */
export async function replayEvidence(
  events: AsyncIterable<readonly ReplayEvent[]>,
  options: ReplayOptions,
): Promise<ReplayedTransitions> {
  const replay = new Replay(options)
  await replay.begin()
  try {
    for await (const page of events)
      for (const event of page) {
        if (!(await replay.passTo(event.at))) return replay.result()
        replay.see(event)
      }
    await replay.passTo(options.to)
    return replay.result()
  } finally {
    await replay.end()
  }
}

class Replay {
  readonly #clock: SimulatedClock
  readonly #fallback: RunningFallback
  readonly #transitions: Transition[] = []
  #isHealthy = true
  #healthySince: number
  #eventAt = Number.NEGATIVE_INFINITY
  #stateAtStart: FallbackStateName | undefined
  #endedBy: ReplayedTransitions['endedBy'] = 'end'

  constructor(private readonly options: ReplayOptions) {
    const { from, guardrails } = options
    const clock = new SimulatedClock(from)
    this.#clock = clock
    this.#healthySince = clock.monotonic()
    this.#fallback = createFallback({
      clock,
      logger: silentLogger,
      replica: 'replay',
      nonce: '',
      random: () => JITTER,
      codeDefaults: { guardrails, policy: 'auto' },
      flags: {
        forService: async () => ({ guardrails, policy: 'auto', ready: false }),
        onChange: () => () => undefined,
      },
      store: createMemoryFlagStore(createMemoryFiles(renderOverride(NEUTRAL))),
      probe: () => this.#probe(),
      judged: {
        runtime: createJudgedWindow(clock),
        direct: createJudgedWindow(clock),
        log: createJudgedLog(clock),
      },
      windows: { clear: () => undefined, resize: () => undefined },
      journal: {
        keepTransition: (transition) => this.#tell(transition),
        keepSample: () => undefined,
      },
      notify: () => undefined,
    })
  }

  async begin(): Promise<void> {
    const started = this.#fallback.start()
    this.#clock.stepTo(this.options.from)
    await this.options.settle()
    await started
  }

  async end(): Promise<void> {
    await this.#fallback.stop()
  }

  /** @returns false where the replay is over */
  async passTo(wall: number): Promise<boolean> {
    const until = Math.min(wall, this.options.to)
    for (;;) {
      if (this.#isIdle(until)) this.#clock.skipTo(until - this.options.guardrails.tickMs)
      if (this.#endedBy !== 'end' || !this.#clock.stepTo(until)) break
      await this.options.settle()
      this.#noteStart()
      if (this.options.isOver()) this.#endedBy = 'budget'
    }
    return this.#endedBy === 'end' && wall < this.options.to
  }

  see(event: ReplayEvent): void {
    this.#eventAt = event.at
    switch (event.kind) {
      case 'execution':
        this.#record(event.execution)
        return
      case 'probe':
        if (event.healthy && !this.#isHealthy) this.#healthySince = this.#clock.monotonic()
        this.#isHealthy = event.healthy
        return
      case 'command':
        // It is in the state at once; the next round writes it.
        void this.#fallback.command(event.command)
        return
    }
  }

  result(): ReplayedTransitions {
    this.#noteStart()
    return {
      stateAtStart: this.#stateAtStart ?? this.#state(),
      transitions: this.#transitions,
      until: Math.min(this.#clock.wall(), this.options.to),
      endedBy: this.#endedBy,
    }
  }

  /** Nothing that is still in a window, and no state that time alone ends: rounds would change nothing. */
  #isIdle(until: number): boolean {
    const { windowSeconds, tickMs } = this.options.guardrails
    const now = this.#clock.wall()
    if (until - now <= tickMs || now - this.#eventAt <= windowSeconds * 2000 || !this.#isHealthy) return false
    const { override, wouldTrip } = this.#fallback.snapshot()
    const { auto, manual, trips } = override
    return auto.state === 'normal' && manual.scope === 'none' && trips === 0 && wouldTrip === undefined
  }

  #noteStart(): void {
    if (this.#stateAtStart === undefined && this.#clock.wall() >= this.options.reportFrom)
      this.#stateAtStart = this.#state()
  }

  #state(): FallbackStateName {
    return this.#fallback.snapshot().override.auto.state
  }

  #tell(transition: Transition): void {
    if (transition.at < this.options.reportFrom) return
    this.#stateAtStart ??= transition.from
    this.#transitions.push(transition)
    if (this.#transitions.length >= this.options.maxTransitions) this.#endedBy = 'transitions'
  }

  #record({
    mode,
    orgId,
    agentId,
    sessionId,
    result,
    shadow,
    latencyMs,
    firstContentMs,
  }: JudgedExecution): void {
    const outcome: Outcome = {
      mode,
      orgId,
      agentId,
      ...(sessionId === undefined ? {} : { sessionId }),
      startedAt: this.#clock.monotonic() - latencyMs,
      latencyMs,
      ...(firstContentMs === undefined ? {} : { firstContentMs }),
      ...OUTCOMES[result],
    }
    if (shadow) {
      this.#fallback.recordShadow(outcome)
      return
    }
    const decision = { mode, reason: 'default', shadow: false } as const
    this.#fallback.turnDecided(decision, 'runtime_orchestrator', { orgId, agentId })
    this.#fallback.record(outcome)
  }

  /** As the kept verdicts of the probes say; none of its own is sent. */
  #probe(): HealthProbe {
    return {
      start: () => undefined,
      stop: async () => undefined,
      trouble: () => undefined,
      requestSent: () => undefined,
      headCame: () => undefined,
      reset: () => undefined,
      state: () => ({
        failuresInARow: this.#isHealthy ? 0 : this.options.guardrails.probeFailures,
        goodInARow: this.#isHealthy ? 1 : 0,
        healthy: this.#isHealthy,
        agoMs: 0,
        goodForMs: this.#isHealthy ? this.#clock.monotonic() - this.#healthySince : 0,
      }),
    }
  }
}

/** The code does not matter to the judgement. */
const OUTCOMES: Readonly<Record<JudgedExecution['result'], OutcomeResult>> = {
  ok: { result: 'ok' },
  error: { result: 'error', code: 'runtime_http_error', phase: 'headers' },
  timeout: { result: 'timeout', code: 'first_content_timeout', phase: 'first_content' },
}
