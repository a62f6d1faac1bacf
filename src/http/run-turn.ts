import type { Context } from 'koa'
import { errorText } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import { wellFormed } from '../core/text.js'
import { decide } from '../decision/decide.js'
import type { TurnFlags } from '../decision/flags.js'
import type { Turn } from '../execution/backend.js'
import { limitsOf } from '../execution/deadlines.js'
import type { TurnResult } from '../execution/turn-result.js'
import type { Decision } from '../protocol/modes.js'
import { historyMessages } from '../sessions/trim-history.js'
import type { AppDeps } from './app-deps.js'
import type { Identity } from './auth/claims.js'
import { type BegunTurn, beginTurn, type TurnRequest } from './begin-turn.js'
import { languageOf } from './edge/language.js'
import { retryLater } from './edge/problems.js'
import { keepTurn, NOT_STARTED, releaseSession, tellTurnEnded } from './end-turn.js'
import { reservationNotRenewed, turnBroke } from './events.js'
import { isOnlyOverride, UNKNOWN_AGENT } from './only-override.js'
import { relay } from './relay.js'
import { newTurn, type RunningTurn } from './running-turn.js'
import { openSseStream, type SseStream } from './stream/sse-stream.js'
import { type TurnFacts, terminalEvent } from './terminal-event.js'
import { holdReservation } from './turn-reservation.js'
import type { TurnPlace } from './turns.js'

/**
 * The way of a turn from its guarded request to the last byte: begin → decide → execute and stream → keep → end →
 * release. Resolves when nothing of the turn is left.
 * @throws Problem before the stream is open; nothing afterwards
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
    { sessionId: who.sessionId, messageId: who.messageId, owner: running.owner, message: request.message },
    { sessions: deps.sessions, clock: deps.clock, releasingMs: timing.releasingMs },
  )
  place.name(who.messageId)

  try {
    await answerTurn(ctx, request.message, begun, running)
  } catch (thrown) {
    await releaseSession(await keepTurn(NOT_STARTED, running), running)
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
  const { who, owner, deps } = running
  const caller = { ...owner, agentId: begun.agentId ?? UNKNOWN_AGENT, sessionId: who.sessionId }
  const flags = await deps.flags.forTurn(caller)
  const decided = decide(flags, deps.fallback.overrideFor(caller, flags.override))
  // The runtime would refuse an agent that it does not know.
  const decision: Decision =
    begun.agentId === undefined ? { ...decided, mode: 'direct_llm', shadow: false } : decided
  const turn: Turn = {
    sessionId: who.sessionId,
    messageId: who.messageId,
    requestId: who.requestId,
    caller,
    // Half a surrogate pair: some servers refuse the whole body for it.
    message: wellFormed(message),
    history: historyMessages(begun.history),
    profile: flags.profile,
    llmRoute: flags.route.endpoints,
  }
  const { logger, metrics } = deps
  // Before anything is recorded: a refused turn tells against nobody.
  if (decision.mode === 'direct_llm') admit(turn, flags, deps)
  guarded(logger, 'metrics', () => metrics.recordDecision(decision))
  guarded(logger, 'fallback', () => deps.fallback.turnDecided(decision, flags.mode.value, caller))

  const language = languageOf(ctx)
  let stream: SseStream
  try {
    stream = openStream(ctx, running)
  } catch (thrown) {
    deps.admission.leave(turn)
    throw thrown
  }
  const facts = () => {
    const latencyMs = deps.clock.monotonic() - running.startedAt
    const history = begun.historyUnavailable === true ? ({ history: 'unavailable' } as const) : {}
    return { ...who, decision, language, latencyMs, ...history }
  }
  try {
    await streamTurn(turn, decision, flags, facts, stream, running)
  } catch (thrown) {
    turnBroke(logger, { ...who, error: errorText(thrown) })
    const broken = { ...NOT_STARTED, executionMode: decision.mode, phase: 'streaming' } as const
    const kept = await keepTurn(broken, running)
    // Nothing where the turn had its terminal event already.
    stream.end(terminalEvent(broken, kept, facts()))
    await releaseSession('unknown', running)
  } finally {
    deps.admission.leave(turn)
    running.place.ended()
    await stream.finished
    guarded(logger, 'metrics', () => metrics.streamClosed())
  }
}

/** @throws Problem 503 where the direct LLM has neither a place nor room in its queue */
function admit(turn: Turn, flags: TurnFlags, { admission }: AppDeps): void {
  const { connectMs, headersMs } = limitsOf('direct_llm', flags.guardrails)
  const seconds = admission.admit(turn, connectMs + headersMs)
  if (seconds !== undefined) throw retryLater('llm_overloaded', seconds)
}

/** From the open stream to its terminal event and the session's release; its reservation goes however it ends. */
async function streamTurn(
  turn: Turn,
  decision: Decision,
  flags: TurnFlags,
  facts: () => TurnFacts,
  stream: SseStream,
  running: RunningTurn,
): Promise<void> {
  const { deps } = running
  const reservation = reserveSession(running)
  let result: TurnResult
  let told: TurnFacts
  try {
    const shadow = guarded(deps.logger, 'shadows', () =>
      deps.shadows.consider(turn, decision, flags.guardrails),
    )
    const relaying = relay(turn, decision, flags, stream, running, shadow)
    // The user's own request is on its way by now.
    if (isOnlyOverride(turn, decision, flags))
      guarded(deps.logger, 'recovery shadows', () => deps.recoveryShadows.consider(turn, flags.guardrails))
    result = await relaying
    told = facts()
  } finally {
    // A renewal under way would be written before the end anyway.
    await reservation.stop()
  }
  const kept = await keepTurn(result, running)
  stream.end(terminalEvent(result, kept, told))
  tellTurnEnded(result, decision, told.latencyMs, running)
  await releaseSession(kept, running)
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
  guarded(deps.logger, 'metrics', () => deps.metrics.streamOpened())
  return stream
}

function reserveSession({ who, place, text, timing, deps }: RunningTurn): { stop(): Promise<void> } {
  return holdReservation({
    clock: deps.clock,
    sessions: deps.sessions,
    messageId: who.messageId,
    renewMs: timing.renewMs,
    stopLookMs: timing.stopLookMs,
    partialText: () => text.value,
    onStopRequested: () => place.abort('stopped'),
    onLost: () => place.abort('superseded'),
    onFault: (thrown) => reservationNotRenewed(deps.logger, { ...who, error: errorText(thrown) }),
  })
}
