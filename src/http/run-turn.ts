import type { Context } from 'koa'
import { errorText } from '../core/errors.js'
import { wellFormed } from '../core/text.js'
import { decide } from '../decision/decide.js'
import type { Turn } from '../execution/backend.js'
import { trimHistory } from '../sessions/trim-history.js'
import type { AppDeps } from './app-deps.js'
import { type BegunTurn, beginTurn, type TurnRequest } from './begin-turn.js'
import type { Identity } from './claims.js'
import { keepTurn, NOT_STARTED, releaseSession, tellTurnEnded } from './end-turn.js'
import { leaseNotRenewed } from './events.js'
import { languageOf } from './language.js'
import { keepLease } from './lease.js'
import { relay } from './relay.js'
import { newTurn, type RunningTurn } from './running-turn.js'
import { openSseStream, type SseStream } from './sse-stream.js'
import { terminalEvent } from './terminal-event.js'
import type { TurnPlace } from './turns.js'

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
  const caller = { ...owner, agentId: begun.agentId, sessionId: who.sessionId }
  const flags = await deps.flags.forTurn(caller)
  const decision = decide(flags, deps.fallback.overrideFor(caller, flags.override))
  const turn: Turn = {
    sessionId: who.sessionId,
    messageId: who.messageId,
    requestId: who.requestId,
    caller,
    // Half a surrogate pair: some servers refuse the whole body for it.
    message: wellFormed(message),
    history: trimHistory(begun.history, deps.config.historyBudget),
    profile: flags.profile,
  }
  deps.metrics.recordDecision(decision)
  deps.fallback.turnDecided(decision, flags.mode.value)

  const stream = openStream(ctx, running)
  const lease = keepTurnsLease(running)
  const shadow = deps.shadows.consider(turn, decision, flags.guardrails)
  const relaying = relay(turn, decision, flags, stream, running, shadow)
  // The user's own request is on its way by now.
  if (decision.reason === 'fallback' && flags.mode.value === 'runtime_orchestrator')
    deps.recoveryShadows.consider(turn, flags.guardrails)
  const result = await relaying
  const latencyMs = deps.clock.monotonic() - running.startedAt
  // A renewal under way would be written before the end anyway.
  await lease.stop()

  const kept = await keepTurn(result, running)
  stream.end(terminalEvent(result, kept, { ...who, decision, language: languageOf(ctx), latencyMs }))
  tellTurnEnded(result, decision, latencyMs, running)
  await releaseSession(kept, running)
  running.place.ended()
  await stream.finished
  deps.metrics.streamClosed()
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
    onFault: (thrown) => leaseNotRenewed(deps.logger, { ...who, error: errorText(thrown) }),
  })
}
