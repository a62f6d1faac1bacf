import type { Context } from 'koa'
import { errorText } from '../core/errors.js'
import { decide } from '../decision/decide.js'
import type { TurnFlags } from '../decision/flags.js'
import type { Turn } from '../execution/backend.js'
import { executeTurn } from '../execution/execute-turn.js'
import type { Outcome } from '../execution/outcome.js'
import type { TurnResult } from '../execution/turn-result.js'
import type { Decision } from '../protocol/modes.js'
import { trimHistory } from '../sessions/trim-history.js'
import { type AppDeps, EDGE_TIMING, type EdgeTiming } from './app-deps.js'
import { type BegunTurn, beginTurn, type TurnRequest } from './begin-turn.js'
import { bounded } from './bounded.js'
import type { Identity } from './claims.js'
import * as events from './events.js'
import { languageOf } from './language.js'
import { keepLease } from './lease.js'
import { createPartialText, type PartialText } from './partial-text.js'
import { requestIdOf } from './request-id.js'
import { openSseStream, type SseStream } from './sse-stream.js'
import { statusOf, terminalEvent } from './turn-end.js'
import type { TurnPlace } from './turns.js'

/** ms in which work after an execution ends; it is bounded to 1 s by itself, this is the net below. */
const AFTER_MS = 1_500

/** One turn on its way; gathered step by step, so that the end finds everything in one place. */
interface RunningTurn {
  readonly who: events.TurnIdentity
  readonly place: TurnPlace
  /** monotonic ms */
  readonly startedAt: number
  readonly text: PartialText
  readonly outcomes: Outcome[]
  /** work the session's release waits for */
  readonly after: Promise<void>[]
  readonly timing: EdgeTiming
  readonly deps: AppDeps
}

/**
 * The way of a turn from its guarded request to the last byte: begin → decide → execute and stream → keep → end →
 * release. Resolves when nothing of the turn is left.
 * @throws Problem or StoreUnavailable before the stream is open; nothing afterwards
 */
export async function runTurn(
  ctx: Context,
  request: TurnRequest,
  identity: Identity,
  place: TurnPlace,
  deps: AppDeps,
): Promise<void> {
  const running = newTurn(ctx, request, identity, place, deps)
  const { who, timing } = running
  const begun = await beginTurn(
    request,
    { sessionId: who.sessionId, messageId: who.messageId, owner: identity, message: request.message },
    { sessions: deps.sessions, clock: deps.clock, releasingMs: timing.releasingMs },
  )
  place.name(who.messageId)

  try {
    await answerTurn(ctx, request.message, begun, running)
  } catch (thrown) {
    await keepTurn(NOT_STARTED, running)
    await releaseSession(running)
    throw thrown
  }
}

/** Nothing throws once the stream is open: from there on every end is a terminal event. */
async function answerTurn(
  ctx: Context,
  message: string,
  begun: BegunTurn,
  running: RunningTurn,
): Promise<void> {
  const { who, deps } = running
  const caller = {
    orgId: who.orgId,
    userId: who.userId,
    agentId: begun.agentId,
    sessionId: who.sessionId,
  }
  const flags = await deps.flags.forTurn(caller)
  const decision = decide(flags, flags.override)
  const turn: Turn = {
    sessionId: who.sessionId,
    messageId: who.messageId,
    requestId: who.requestId,
    caller,
    message,
    history: trimHistory(begun.history, deps.config.historyBudget),
    profile: flags.profile,
  }
  deps.metrics.recordDecision(decision)

  const stream = openStream(ctx, running)
  const lease = keepTurnsLease(running)
  const result = await relay(turn, decision, flags, stream, running)
  const latencyMs = deps.clock.monotonic() - running.startedAt
  running.after.push(lease.stop())

  const kept = await keepTurn(result, running)
  stream.end(terminalEvent(result, kept, { ...who, decision, language: languageOf(ctx), latencyMs }))
  tellTurnEnded(result, decision, latencyMs, running)
  await releaseSession(running)
  await stream.finished
  deps.metrics.streamClosed()
}

/** How a turn is kept that broke before its stream was open; the client gets a 500. */
const NOT_STARTED = {
  kind: 'failed',
  executionMode: 'direct_llm',
  code: 'internal_error',
  phase: 'connect',
  details: {},
} as const satisfies TurnResult

function newTurn(
  ctx: Context,
  request: TurnRequest,
  identity: Identity,
  place: TurnPlace,
  deps: AppDeps,
): RunningTurn {
  return {
    who: {
      requestId: requestIdOf(ctx),
      sessionId: request.kind === 'start' ? deps.ids.newId() : request.sessionId,
      messageId: deps.ids.newId(),
      orgId: identity.orgId,
      userId: identity.userId,
    },
    place,
    startedAt: deps.clock.monotonic(),
    text: createPartialText(),
    outcomes: [],
    after: [],
    timing: { ...EDGE_TIMING, ...deps.timing },
    deps,
  }
}

function openStream(ctx: Context, { who, place, timing, deps }: RunningTurn): SseStream {
  const stream = openSseStream(ctx, {
    streamId: who.messageId,
    sessionId: who.sessionId,
    clock: deps.clock,
    heartbeatMs: timing.heartbeatMs,
    slowReaderMs: timing.slowReaderMs,
    onReaderLost: (why) => place.abort(why),
  })
  deps.metrics.streamOpened()
  return stream
}

function keepTurnsLease({ who, place, text, timing, deps }: RunningTurn): { stop(): Promise<void> } {
  return keepLease({
    clock: deps.clock,
    sessions: deps.sessions,
    messageId: who.messageId,
    renewMs: timing.renewMs,
    stopLookMs: timing.stopLookMs,
    partialText: () => text.value,
    onStopRequested: () => place.abort('stopped'),
    onLost: () => place.abort('superseded'),
    onFault: (thrown) => events.leaseNotRenewed(deps.logger, { ...who, error: errorText(thrown) }),
  })
}

/** Executes the turn and hands every batch to the reader; a slow reader holds the execution, an abort frees it. */
async function relay(
  turn: Turn,
  decision: Decision,
  flags: TurnFlags,
  stream: SseStream,
  { who, place, text, outcomes, after, deps }: RunningTurn,
): Promise<TurnResult> {
  const { signal } = place
  const { clock, logger, metrics } = deps
  const execution = executeTurn(turn, decision.mode, deps.backends, flags.guardrails, {
    clock,
    logger,
    signal,
    record(outcome) {
      outcomes.push(outcome)
      metrics.recordOutcome(outcome)
    },
    after: (task) => after.push(task),
  })
  signal.addEventListener('abort', stream.unblock, { once: true })
  try {
    for (;;) {
      const step = await execution.next()
      if (step.done) return step.value
      text.add(step.value)
      const blocked = signal.aborted ? undefined : stream.write(step.value)
      if (blocked !== undefined) await blocked
    }
  } catch (thrown) {
    events.turnBroke(logger, { ...who, error: errorText(thrown) })
    const broken: TurnResult = { ...NOT_STARTED, executionMode: decision.mode, phase: 'streaming' }
    await execution.return(broken)
    return broken
  } finally {
    signal.removeEventListener('abort', stream.unblock)
  }
}

/** Keeps how the turn ended; false when the store could not, within its time. */
async function keepTurn(result: TurnResult, { who, text, timing, deps }: RunningTurn): Promise<boolean> {
  const { executionMode } = result
  const end = { status: statusOf(result), text: text.value, executionMode }
  try {
    const done = await bounded(deps.sessions.finish(who.messageId, end), timing.finishMs, deps.clock)
    if (done !== 'late') return true
    throw new Error(`the session store did not answer within ${timing.finishMs} ms`)
  } catch (thrown) {
    events.turnNotKept(deps.logger, { ...who, error: errorText(thrown) })
    return false
  }
}

function tellTurnEnded(
  result: TurnResult,
  decision: Decision,
  latencyMs: number,
  { who, startedAt, outcomes, deps }: RunningTurn,
): void {
  const last = outcomes.at(-1)
  const firstContentMs =
    last?.firstContentMs === undefined ? undefined : last.startedAt - startedAt + last.firstContentMs
  if (result.failover !== undefined) deps.metrics.recordFailover(result.failover)
  events.turnEnded(deps.logger, {
    ...who,
    decision,
    executionMode: result.executionMode,
    outcome: statusOf(result),
    latencyMs: Math.round(latencyMs),
    ...(result.kind === 'answered' ? {} : { code: result.code }),
    ...(result.kind === 'failed' ? { phase: result.phase } : { tokens: result.usage.tokens }),
    ...(firstContentMs === undefined ? {} : { firstContentMs: Math.round(firstContentMs) }),
    ...(result.failover === undefined ? {} : { failover: result.failover }),
  })
}

/** The session takes its next turn once every cancel of this one is through: a late one would hit the next. */
async function releaseSession({ who, after, timing, deps }: RunningTurn): Promise<void> {
  await bounded(Promise.allSettled(after), AFTER_MS, deps.clock)
  try {
    const done = await bounded(deps.sessions.release(who.messageId), timing.finishMs, deps.clock)
    if (done === 'late') throw new Error(`the session store did not answer within ${timing.finishMs} ms`)
  } catch (thrown) {
    events.sessionNotReleased(deps.logger, { ...who, error: errorText(thrown) })
  }
}
