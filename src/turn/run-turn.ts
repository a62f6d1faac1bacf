import { errorText } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import type { TurnResult } from '../execution/turn-result.js'
import { type BegunTurn, beginTurn, type TurnRequest } from './begin-turn.js'
import { type DecidedTurn, decideTurn, isOnlyOverride } from './decide-turn.js'
import { keepTurn, NOT_ADMITTED, NOT_STARTED, releaseSession, tellTurnEnded } from './end-turn.js'
import { type Relay, relay } from './relay.js'
import { type Asker, newTurn, type RunningTurn } from './running-turn.js'
import type { TurnDeps, TurnTiming } from './turn-deps.js'
import { reservationNotRenewed, turnBroke } from './turn-log.js'
import type { ReaderOptions, TurnFacts, TurnReader } from './turn-reader.js'
import { TurnRefused } from './turn-refused.js'
import type { TurnPlace } from './turn-registry.js'
import { holdReservation } from './turn-reservation.js'

/** Opens the stream to who asked; called once the turn is decided. */
export type OpenReader = (options: ReaderOptions) => TurnReader

/**
 * The way of a turn from its guarded request to the last byte: begin → decide → execute and stream → keep → end →
 * release. Resolves when nothing of the turn is left.
 * @throws TurnRefused, or what a store threw, before the reader is open; nothing afterwards
 */
export async function runTurn(
  request: TurnRequest,
  asker: Asker,
  place: TurnPlace,
  openReader: OpenReader,
  deps: TurnDeps,
  timing: TurnTiming,
): Promise<void> {
  const running = newTurn(request, asker, place, deps, timing)
  const { who } = running
  const begun = await beginTurn(
    request,
    { sessionId: who.sessionId, messageId: who.messageId, owner: running.owner, message: request.message },
    { sessions: deps.sessions, clock: deps.clock, releasingMs: timing.releasingMs },
  ).catch((thrown: unknown) => {
    guarded(deps.logger, 'traces', () => running.recorder.notBegun(whyNot(thrown)))
    throw thrown
  })
  place.name(who.messageId)

  try {
    const decided = await decideTurn(request, begun, running)
    await answerTurn(decided, begun, openReader, running)
  } catch (thrown) {
    const failed = thrown instanceof TurnRefused ? NOT_ADMITTED : NOT_STARTED
    await releaseSession(await keepTurn(failed, running, 'none'), running)
    throw thrown
  }
}

const whyNot = (thrown: unknown): string =>
  thrown instanceof TurnRefused ? thrown.refusal : NOT_STARTED.code

/** Nothing throws once the reader is open: from there on every end is told to it. */
async function answerTurn(
  decided: DecidedTurn,
  begun: BegunTurn,
  openReader: OpenReader,
  running: RunningTurn,
): Promise<void> {
  const { who, place, deps } = running
  const { turn, decision } = decided
  const { logger, metrics } = deps
  let relaying: Relay | undefined
  let reader: TurnReader
  try {
    relaying = startTurn(decided, running)
    // The request is on its way before the answer is opened: the upstream thinks meanwhile.
    await nextRound()
    const { sessionId, messageId } = who
    reader = openReader({
      sessionId,
      messageId,
      onReaderLost: (why, unreadMs) => place.abort(why, unreadMs),
    })
    guarded(logger, 'metrics', () => metrics.streamOpened())
  } catch (thrown) {
    relaying?.leave()
    deps.admission.leave(turn)
    throw thrown
  }
  const facts = (): TurnFacts => {
    const latencyMs = deps.clock.monotonic() - running.startedAt
    const history = begun.historyUnavailable === true ? ({ history: 'unavailable' } as const) : {}
    const { failedAt } = running.recorder
    return { ...who, decision, latencyMs, ...history, ...(failedAt === undefined ? {} : { failedAt }) }
  }
  try {
    await streamTurn(decided, facts, reader, relaying, running)
  } catch (thrown) {
    turnBroke(logger, { ...who, error: errorText(thrown) })
    // Nothing if it has ended. One that nobody reads would be held for good, and no deadline runs meanwhile.
    relaying.leave()
    const broken = { ...NOT_STARTED, executionMode: decision.mode, phase: 'streaming' } as const
    const kept = await keepTurn(broken, running)
    // Nothing if the turn had its end already.
    reader.end(broken, kept, facts())
    await releaseSession('unknown', running)
  } finally {
    deps.admission.leave(turn)
    place.ended()
    await reader.finished
    guarded(logger, 'metrics', () => metrics.streamClosed())
  }
}

/** Makes the user's own request, and considers the silent ones beside it. */
function startTurn(decided: DecidedTurn, running: RunningTurn): Relay {
  const { turn, decision, flags } = decided
  const { deps } = running
  const shadow = guarded(deps.logger, 'shadows', () =>
    deps.shadows.consider(turn, decision, flags.guardrails),
  )
  const relaying = relay(decided, running, shadow)
  // The user's own request is on its way by now.
  if (isOnlyOverride(decided))
    guarded(deps.logger, 'recovery shadows', () => deps.recoveryShadows.consider(turn, flags.guardrails))
  return relaying
}

/** What was asked for until now goes out: microtasks and ticks run before it. */
const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** From the open reader to its end and the session's release; its reservation is released in every case. */
async function streamTurn(
  { decision }: DecidedTurn,
  facts: () => TurnFacts,
  reader: TurnReader,
  relaying: Relay,
  running: RunningTurn,
): Promise<void> {
  const reservation = reserveSession(running)
  let result: TurnResult
  let told: TurnFacts
  try {
    relaying.open(reader)
    result = await relaying.result
    told = facts()
  } finally {
    // A renewal under way would be written before the end anyway.
    await reservation.stop()
  }
  const kept = await keepTurn(result, running)
  reader.end(result, kept, told)
  tellTurnEnded(result, decision, told.latencyMs, running)
  await releaseSession(kept, running)
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
