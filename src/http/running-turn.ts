import type { Context } from 'koa'
import type { Outcome } from '../execution/outcome.js'
import type { SessionOwner } from '../sessions/session-store.js'
import { type AppDeps, EDGE_TIMING, type EdgeTiming } from './app-deps.js'
import type { Identity } from './auth/claims.js'
import type { TurnRequest } from './begin-turn.js'
import { requestIdOf } from './edge/request-id.js'
import type { TurnIdentity } from './events.js'
import { createPartialText, type PartialText } from './partial-text.js'
import type { TurnPlace } from './turns.js'

/** One turn on its way; gathered step by step, so that the end finds everything in one place. */
export interface RunningTurn {
  readonly who: TurnIdentity
  readonly owner: SessionOwner
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

export function newTurn(
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
    },
    owner: { orgId: identity.orgId, userId: identity.userId },
    place,
    startedAt: deps.clock.monotonic(),
    text: createPartialText(),
    outcomes: [],
    after: [],
    timing: { ...EDGE_TIMING, ...deps.timing },
    deps,
  }
}
