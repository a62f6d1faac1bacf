import type Router from '@koa/router'
import type { Clock } from '../../core/clock.js'
import { instant } from '../../protocol/instant.js'
import { type SessionListView, sessionListQuerySchema } from '../../protocol/session-list.js'
import type { SessionStore, SessionSummary } from '../../sessions/session-store.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import { guard, guardSessionId } from '../edge/guard.js'
import { Problem } from '../edge/problems.js'
import { ignoreBody } from '../edge/read-body.js'
import { cursorOf, placeOf } from './session-cursor.js'

/** ms for a turn that was told to stop: its replica looks once a second, and keeps its end */
const STOP_MS = 3_000
/** ms between two looks whether it has ended */
const LOOK_MS = 50

/** The conversations of a user: listed, erased. */
export function mountSessionRoutes(router: Router, authenticate: Authenticate, deps: AppDeps): void {
  const { sessions, turns, clock } = deps

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
    const found = await sessions.requestStop(sessionId, identity)
    if (found === undefined) throw new Problem('session_unknown')
    if (found.messageId !== undefined) turns.abort(found.messageId, 'stopped')
    if (found.stopped) await turnEnded(sessionId, sessions, clock)
    if (!(await sessions.delete(sessionId, identity))) throw new Problem('session_unknown')
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

/** Ends when the session's turn has, or its time is over: then it is erased while it runs, and kept nowhere. */
async function turnEnded(
  sessionId: string,
  sessions: Pick<SessionStore, 'holder'>,
  clock: Clock,
): Promise<void> {
  const endAt = clock.monotonic() + STOP_MS
  while (clock.monotonic() < endAt && (await sessions.holder(sessionId)) === 'running')
    await new Promise<void>((resolve) => clock.schedule(LOOK_MS, resolve))
}
