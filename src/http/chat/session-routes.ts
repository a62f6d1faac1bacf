import type Router from '@koa/router'
import { instant } from '../../protocol/instant.js'
import { type SessionListView, sessionListQuerySchema } from '../../protocol/session-list.js'
import type { SessionSummary } from '../../sessions/session-store.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import { guard, guardSessionId } from '../edge/guard.js'
import { Problem } from '../edge/problems.js'
import { ignoreBody } from '../edge/read-body.js'
import type { Streams } from '../stream/streams.js'
import { eraseSession } from './erase-session.js'
import { cursorOf, placeOf } from './session-cursor.js'

/** The conversations of a user: listed, erased. */
export function mountSessionRoutes(
  router: Router,
  authenticate: Authenticate,
  streams: Streams,
  deps: AppDeps,
): void {
  const { sessions, clock } = deps

  router.get('/chat/sessions', async (ctx) => {
    const identity = await authenticate(ctx)
    const { cursor, limit } = guard(sessionListQuerySchema, ctx.query)
    const before = cursor === undefined ? undefined : placeOf(cursor)
    // One more than asked for tells whether there is a next page.
    answer(ctx, listView(await sessions.list(identity, limit + 1, before), limit))
  })

  router.delete('/chat/sessions/:sessionId', async (ctx) => {
    const identity = await authenticate(ctx)
    const sessionId = guardSessionId(ctx.params.sessionId)
    ignoreBody(ctx, { ...EDGE_TIMING, ...deps.timing, clock })
    if (!(await eraseSession(sessionId, identity, { ...deps, streams }))) throw new Problem('session_unknown')
    ctx.set('Cache-Control', 'no-store')
    ctx.status = 204
  })
}

function listView(found: readonly SessionSummary[], limit: number): SessionListView {
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return {
    sessions: page.map(({ createdAt, updatedAt, ...session }) => ({
      ...session,
      createdAt: instant(createdAt),
      updatedAt: instant(updatedAt),
    })),
    nextCursor: found.length > limit && last !== undefined ? cursorOf(last) : null,
  }
}
