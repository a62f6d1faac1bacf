import { unreachable } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import type { TraceSpan } from '../core/tracing/trace-span.js'
import type { Outcome } from '../execution/outcome.js'
import { NO_SESSIONS } from '../sessions/no-sessions.js'
import type { SessionOwner } from '../sessions/session-store.js'
import type { TurnRequest } from './begin-turn.js'
import { PartialText } from './partial-text.js'
import { TurnRecorder } from './trace/turn-recorder.js'
import { startTurnSpan } from './trace/turn-spans.js'
import type { TurnDeps, TurnTiming } from './turn-deps.js'
import type { TurnIdentity } from './turn-log.js'
import type { TurnPlace } from './turn-registry.js'

/** Who asks, and by which request. */
export interface Asker extends SessionOwner {
  readonly requestId: string
  /** of the turn, where they are chosen before it begins; default: new ones, or the session's */
  readonly ids?: { readonly sessionId: string; readonly messageId: string }
  /** of the request; absent: it is in no trace */
  readonly span?: TraceSpan
}

/** One turn on its way; gathered step by step, so that the end finds everything in one place. */
export interface RunningTurn {
  readonly who: TurnIdentity
  readonly owner: SessionOwner
  readonly place: TurnPlace
  /** monotonic ms */
  readonly startedAt: number
  readonly text: PartialText
  readonly recorder: TurnRecorder
  readonly outcomes: Outcome[]
  /** work the session's release waits for */
  readonly after: Promise<void>[]
  readonly timing: TurnTiming
  readonly deps: TurnDeps
}

export function newTurn(
  request: TurnRequest,
  { requestId, orgId, userId, ids: chosen, span: requestSpan }: Asker,
  place: TurnPlace,
  deps: TurnDeps,
  timing: TurnTiming,
): RunningTurn {
  const { sessionId, messageId } = chosen ?? {
    sessionId: sessionIdOf(request, deps),
    messageId: deps.ids.newId(),
  }
  const ids = { requestId, sessionId, messageId, orgId }
  const span = requestSpan && guarded(deps.logger, 'traces', () => startTurnSpan(requestSpan, ids))
  const who: TurnIdentity = { requestId, sessionId, messageId, orgId, streamId: messageId, ...span?.ids }
  return {
    who,
    owner: { orgId, userId },
    place,
    startedAt: deps.clock.monotonic(),
    text: new PartialText(),
    recorder: new TurnRecorder(who, deps.clock, span),
    outcomes: [],
    after: [],
    timing,
    deps: request.kind === 'single' ? { ...deps, sessions: NO_SESSIONS } : deps,
  }
}

function sessionIdOf(request: TurnRequest, { ids }: Pick<TurnDeps, 'ids'>): string {
  switch (request.kind) {
    case 'start':
      return ids.newId()
    case 'next':
      return request.sessionId
    case 'single':
      return request.bucket
    default:
      return unreachable(request)
  }
}
