import type Router from '@koa/router'
import type { Context } from 'koa'
import { spanOf } from '../../core/tracing/request-span.js'
import { startRequestSchema, turnRequestSchema } from '../../protocol/api.js'
import type { Admission, Limits } from '../../turn/limits.js'
import { type OpenReader, runTurn } from '../../turn/run-turn.js'
import { tellQuota } from '../answer-headers.js'
import { type AppDeps, EDGE_TIMING, type EdgeTiming } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { hasRole, type Identity } from '../auth/claims.js'
import { answer } from '../edge/answer.js'
import { guard, guardSessionId } from '../edge/guard.js'
import { Problem } from '../edge/problems.js'
import { type BodyLimits, readJson } from '../edge/read-body.js'
import { requestIdOf } from '../edge/request-id.js'
import type { Streams } from '../stream/streams.js'
import { stopTurn } from './erase-session.js'
import { createKeyedTurns, idempotencyKeyOf, type KeyedRequest, type TurnIds } from './keyed-turns.js'
import type { RemoteReaders } from './remote-reader.js'
import { openTurnStream } from './turn-stream.js'

/** The conversation: turns, history, stop. */
export function mountChatRoutes(
  router: Router,
  authenticate: Authenticate,
  limits: Limits,
  streams: Streams,
  deps: AppDeps,
  remote?: RemoteReaders,
): void {
  const { sessions } = deps
  const timing: EdgeTiming = { ...EDGE_TIMING, ...deps.timing }
  const bodyLimits: BodyLimits = { ...timing, clock: deps.clock }

  const keyed = createKeyedTurns({
    keys: deps.idempotency,
    streams,
    ...(remote === undefined ? {} : { remote }),
    sessions,
    clock: deps.clock,
    ids: deps.ids,
    draining: deps.lifecycle.draining,
    endMs: timing.keyedTurnMs,
  })

  const turn = async (
    ctx: Context,
    identity: Identity,
    kind: KeyedRequest['kind'],
    read: () => Promise<KeyedRequest>,
  ): Promise<void> => {
    const admission: Admission = { kind: kind === 'start' ? 'new' : 'next', tell: tellQuota(ctx) }
    const key = idempotencyKeyOf(ctx)
    const isKnown = key !== undefined && (await keyed.isKnown(identity, key))
    // Who asks again for a turn begins none: a reader's place is enough.
    const reader = isKnown ? await limits.admitReader(identity) : undefined
    let place = isKnown ? undefined : await limits.admit(identity, admission)
    try {
      const request = await read()
      const run = async (ids?: TurnIds, onOpen?: () => void): Promise<void> => {
        place ??= await limits.admit(identity, admission)
        if (request.kind === 'next') await streams.giveUpUnread(request.sessionId, identity)
        const asker = {
          orgId: identity.orgId,
          userId: identity.userId,
          requestId: requestIdOf(ctx),
          ...spanOf(ctx),
          ...(ids === undefined ? {} : { ids }),
        }
        const open: OpenReader = (options) => {
          try {
            return openTurnStream(ctx, streams, identity, options)
          } finally {
            // Also where that fails: the backend has been asked by then, and is not asked again.
            onOpen?.()
          }
        }
        return runTurn(request, asker, place, open, deps, timing)
      }
      if (key === undefined) await run()
      else await keyed.answer(ctx, identity, key, request, { run, onFollow: () => place?.ended() })
    } finally {
      place?.close()
      reader?.close()
    }
  }

  router.post('/chat/start', async (ctx) => {
    const identity = await authenticate(ctx)
    return turn(ctx, identity, 'start', async () => {
      const { agentId, message } = guard(startRequestSchema, await readJson(ctx, bodyLimits))
      return { kind: 'start', agentId, message }
    })
  })

  router.post('/chat/sessions/:sessionId', async (ctx) => {
    const identity = await authenticate(ctx)
    const sessionId = guardSessionId(ctx.params.sessionId)
    return turn(ctx, identity, 'next', async () => {
      const { message } = guard(turnRequestSchema, await readJson(ctx, bodyLimits))
      return { kind: 'next', sessionId, message }
    })
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
    if (found.messageId !== undefined) stopTurn(found.messageId, deps)
    answer(ctx, { stopped: found.stopped })
  })
}
