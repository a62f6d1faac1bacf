import type { BackendEvent, ChatBackend, ExecutionCall } from '../../src/execution/backend.js'
import type { ExecutionLimits } from '../../src/execution/execution.js'
import type { Outcome } from '../../src/execution/outcome.js'
import type { TurnResult } from '../../src/execution/turn-result.js'
import type { MessageBody } from '../../src/protocol/events.js'
import type { ExecutionMode } from '../../src/protocol/modes.js'
import { capturingLogger } from './capturing-logger.js'
import { type ManualClock, manualClock } from './manual-clock.js'
import { pulledTurn } from './pulled.js'
import { pushed } from './pushed.js'
import { sampleLimits, sampleTurn } from './sample-turn.js'
import { aborted } from './scripted-backend.js'

/** One thing a scripted backend does; `ms` is time of the test's clock. */
export type Action =
  | { readonly do: 'connect' | 'headers' | 'complete' | 'end' | 'hang' | 'stray' }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'send'; readonly events: readonly BackendEvent[] }
  | { readonly do: 'throw'; readonly error: Error }

/** A backend that runs its actions on the test's clock; a deaf one does not hear that it was given up. */
export function acting(
  mode: ExecutionMode,
  clock: ManualClock,
  actions: readonly Action[],
  deaf = false,
): ChatBackend & { readonly calls: ExecutionCall[] } {
  const calls: ExecutionCall[] = []
  async function* execute(call: ExecutionCall): AsyncGenerator<readonly BackendEvent[], void, undefined> {
    const given = deaf ? new Promise<void>(() => {}) : aborted(call.signal)
    for (const action of actions) {
      if (call.signal.aborted && !deaf) return
      if (action.do === 'connect') call.onConnected()
      else if (action.do === 'headers') call.onHeaders()
      else if (action.do === 'complete') call.onComplete()
      else if (action.do === 'send') yield action.events
      else if (action.do === 'wait') await Promise.race([waited(clock, action.ms), given])
      else if (action.do === 'hang') await given
      else if (action.do === 'throw') throw action.error
      else if (action.do === 'stray') throw new TypeError('secret content')
      else return
    }
  }
  return {
    mode,
    calls,
    execute(_turn, call, sink) {
      calls.push(call)
      return pushed(execute(call), call.signal, sink)
    },
  }
}

function waited(clock: ManualClock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.schedule(ms, resolve))
}

/** Lets every promise that can settle now do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export interface TurnSetup {
  readonly mode?: ExecutionMode
  readonly direct?: readonly Action[]
  readonly runtime?: readonly Action[]
  readonly deaf?: boolean
  readonly limits?: Partial<ExecutionLimits>
  readonly mayReturn?: () => boolean
  /** in place of keeping the outcomes */
  readonly record?: (outcome: Outcome) => void
}

/** A turn on scripted backends under the test's clock, with everything it did to the outside. */
export function setUpTurn(setup: TurnSetup) {
  const clock = manualClock()
  const { logger, lines } = capturingLogger()
  const outcomes: Outcome[] = []
  const tasks: Promise<void>[] = []
  const controller = new AbortController()
  const lost = new Set<() => void>()
  const direct = acting('direct_llm', clock, setup.direct ?? [], setup.deaf)
  const runtime = acting('runtime_orchestrator', clock, setup.runtime ?? [], setup.deaf)
  const turn = pulledTurn(
    sampleTurn(),
    setup.mode ?? 'runtime_orchestrator',
    { direct_llm: direct, runtime_orchestrator: runtime },
    { ...sampleLimits, ...setup.limits },
    {
      clock,
      logger,
      signal: controller.signal,
      record: setup.record ?? ((outcome) => void outcomes.push(outcome)),
      after: (task) => void tasks.push(task),
      ...(setup.mayReturn === undefined ? {} : { mayReturn: setup.mayReturn }),
      onRuntimeLost(listener) {
        lost.add(listener)
        return () => lost.delete(listener)
      },
    },
  )
  const loseRuntime = (): void => {
    for (const listener of lost) listener()
  }
  return {
    clock,
    lines,
    outcomes,
    tasks,
    controller,
    direct,
    runtime,
    turn,
    loseRuntime,
    listening: () => lost.size,
  }
}

export type TurnUnderTest = ReturnType<typeof setUpTurn>

/** Pulls once, moving the clock from timer to timer until something comes; fails when nothing ever would. */
export async function pull({
  turn,
  clock,
}: TurnUnderTest): Promise<IteratorResult<readonly MessageBody[], TurnResult>> {
  let next: IteratorResult<readonly MessageBody[], TurnResult> | undefined
  const pulled = turn.next().then((value) => {
    next = value
  })
  for (;;) {
    await settled()
    if (next !== undefined) return next
    if (!clock.step()) break
  }
  await Promise.race([pulled, settled()])
  if (next === undefined) throw new Error('the turn hangs: nothing is pending and nothing came')
  return next
}

/** Pulls to the end, holding each batch for so many ms before the next pull. */
export async function runTurn(
  under: TurnUnderTest,
  heldMs: readonly number[] = [],
): Promise<{ events: MessageBody[]; result: TurnResult; endedAt: number }> {
  const events: MessageBody[] = []
  for (let n = 0; ; n += 1) {
    const next = await pull(under)
    if (next.done === true) return { events, result: next.value, endedAt: under.clock.monotonic() }
    events.push(...next.value)
    const hold = heldMs[n] ?? 0
    if (hold > 0) under.clock.advance(hold)
    await settled()
  }
}
