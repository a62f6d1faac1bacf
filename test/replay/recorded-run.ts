import type { Outcome } from '../../src/execution/outcome.js'
import type { JudgedExecution } from '../../src/journal/comparison.js'
import type { ReplayEvent } from '../../src/replay/replay-evidence.js'
import { SUBJECT, setUpLoop } from '../fallback/loop-setup.js'

type Result = JudgedExecution['result']

/** A stretch of time: how the runtime does, in executions and probes. */
export interface Episode {
  readonly seconds: number
  /** each further execution of the runtime, over and over; default: all well */
  readonly results?: readonly Result[]
  readonly healthy?: boolean
}

const WELL: readonly Result[] = ['ok']

/** turns a second */
const TURNS = 4
const STEP_MS = 1000 / TURNS

/** Some time of the real loop, and what a journal would have kept of it. */
export async function recordedRun(episodes: readonly Episode[]) {
  const loop = setUpLoop()
  const events: ReplayEvent[] = []
  const from = loop.clock.wall()
  let turn = 0

  const execute = (mode: JudgedExecution['mode'], result: Result, shadow: boolean): void => {
    turn += 1
    const { orgId, agentId } = SUBJECT
    const latencyMs = result === 'timeout' ? 2_000 : 100
    const execution = { mode, orgId, agentId, sessionId: `s${turn}`, result, shadow, latencyMs }
    events.push({
      at: loop.clock.wall(),
      kind: 'execution',
      execution: { ...execution, at: loop.clock.wall() },
    })
    const outcome: Outcome = {
      mode,
      orgId,
      agentId,
      sessionId: `s${turn}`,
      startedAt: loop.clock.monotonic() - latencyMs,
      latencyMs,
      ...(result === 'ok' ? { result } : { result, code: 'runtime_http_error', phase: 'headers' }),
    }
    if (shadow) loop.fallback.recordShadow(outcome)
    else loop.fallback.record(outcome)
  }

  await loop.start()
  let isHealthy = true
  for (const { seconds, results = WELL, healthy = true } of episodes) {
    if (healthy !== isHealthy) events.push({ at: loop.clock.wall(), kind: 'probe', healthy })
    isHealthy = healthy
    loop.knobs.healthy = healthy
    for (let step = 0; step < seconds * TURNS; step += 1) {
      const { state } = loop.fallback.snapshot().override.auto
      const result = results[step % results.length] ?? 'ok'
      loop.useRuntime()
      if (state === 'normal' || (state === 'recovering' && step % 4 === 0))
        execute('runtime_orchestrator', result, false)
      else {
        execute('direct_llm', 'ok', false)
        if (step % 2 === 0) execute('runtime_orchestrator', result, true)
      }
      await loop.pass(STEP_MS)
    }
  }
  const to = loop.clock.wall()
  await loop.fallback.stop()
  return { from, to, events, transitions: loop.kept, guardrails: loop.knobs.guardrails }
}

export async function* inPages(
  events: readonly ReplayEvent[],
  size = 100,
): AsyncGenerator<readonly ReplayEvent[]> {
  for (let at = 0; at < events.length; at += size) yield events.slice(at, at + size)
}
