import type Router from '@koa/router'
import type { Context } from 'koa'
import { spanOf } from '../../core/tracing/request-span.js'
import { startRequestSchema, turnRequestSchema } from '../../protocol/api.js'
import type { TurnRequest } from '../../turn/begin-turn.js'
import type { Limits } from '../../turn/limits.js'
import { runTurn } from '../../turn/run-turn.js'
import type { TurnPlace } from '../../turn/turn-registry.js'
import { type AppDeps, EDGE_TIMING, type EdgeTiming } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { hasRole, type Identity } from '../auth/claims.js'
import { answer } from '../edge/answer.js'
import { guard, guardSessionId } from '../edge/guard.js'
import { Problem } from '../edge/problems.js'
import { type BodyLimits, readJson } from '../edge/read-body.js'
import { requestIdOf } from '../edge/request-id.js'
import type { Streams } from '../stream/streams.js'
import { openTurnStream } from './turn-stream.js'

/** The conversation: turns, history, stop. */
export function mountChatRoutes(
  router: Router,
  authenticate: Authenticate,
  limits: Limits,
  streams: Streams,
  deps: AppDeps,
): void {
  const { sessions, turns } = deps
  const timing: EdgeTiming = { ...EDGE_TIMING, ...deps.timing }
  const bodyLimits: BodyLimits = { ...timing, clock: deps.clock }

  const run = (ctx: Context, request: TurnRequest, identity: Identity, place: TurnPlace): Promise<void> =>
    runTurn(
      request,
      { ...identity, requestId: requestIdOf(ctx), ...spanOf(ctx) },
      place,
      (options) => openTurnStream(ctx, streams, identity, options),
      deps,
      timing,
    )

  router.post('/chat/start', async (ctx) => {
    const identity = await authenticate(ctx)
    const place = limits.admit(identity)
    try {
      const { agentId, message } = guard(startRequestSchema, await readJson(ctx, bodyLimits))
      await run(ctx, { kind: 'start', agentId, message }, identity, place)
    } finally {
      place.close()
    }
  })

  router.post('/chat/sessions/:sessionId', async (ctx) => {
    const identity = await authenticate(ctx)
    const sessionId = guardSessionId(ctx.params.sessionId)
    const place = limits.admit(identity)
    try {
      const { message } = guard(turnRequestSchema, await readJson(ctx, bodyLimits))
      await streams.giveUpUnread(sessionId, identity)
      await run(ctx, { kind: 'next', sessionId, message }, identity, place)
    } finally {
      place.close()
    }
  })

  router.get('/chat/sessions/:sessionId', async (ctx) => {
    const identity = await authenticate(ctx)
    const session = await sessions.read(guardSessionId(ctx.params.sessionId), identity)
    if (session === undefined) throw new Problem('session_unknown')
    answer(ctx, session)
  })

  router.get('/chat/sessions/:sessionId/turns/:messageId/trace', async (ctx) => {
    const identity = await authenticate(ctx)
    const { orgId, userId } = identity
    const reader = hasRole(identity, 'admin') ? { orgId } : { orgId, userId }
    const sessionId = guardSessionId(ctx.params.sessionId)
    const found = await sessions.readTrace(sessionId, (ctx.params.messageId ?? '').toLowerCase(), reader)
    if (found === undefined) throw new Problem('session_unknown')
    if (found.kind === 'none') throw new Problem('trace_unknown')
    answer(ctx, JSON.parse(found.json))
  })

  router.post('/chat/sessions/:sessionId/stop', async (ctx) => {
    const identity = await authenticate(ctx)
    const found = await sessions.requestStop(guardSessionId(ctx.params.sessionId), identity)
    if (found === undefined) throw new Problem('session_unknown')
    // A turn of this process stops now; one of another replica when it next looks at its mark.
    if (found.messageId !== undefined) turns.abort(found.messageId, 'stopped')
    answer(ctx, { stopped: found.stopped })
  })
}
