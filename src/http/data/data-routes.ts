import { Readable } from 'node:stream'
import type Router from '@koa/router'
import { eraseRequestSchema, exportQuerySchema } from '../../protocol/user-data.js'
import type { DataScope } from '../../sessions/session-store.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { hasRole, type Identity } from '../auth/claims.js'
import type { EraseSessionDeps } from '../chat/erase-session.js'
import { answer } from '../edge/answer.js'
import { guard } from '../edge/guard.js'
import { Problem, readJournal } from '../edge/problems.js'
import { readJson } from '../edge/read-body.js'
import { eraseData } from './erase.js'
import { exportedData } from './export.js'

/** What is kept of users: erased, exported. Each call is logged with who asked, whose data it was and how much. */
export function mountDataRoutes(
  router: Router,
  authenticate: Authenticate,
  streams: EraseSessionDeps['streams'],
  deps: AppDeps,
): void {
  const { clock, logger, sessions } = deps
  const timing = { ...EDGE_TIMING, ...deps.timing }

  router.post('/runtime/erase', async (ctx) => {
    const identity = await authenticate(ctx, 'admin')
    const asked = guard(eraseRequestSchema, await readJson(ctx, { ...timing, clock }))
    const scope = scopeOf(identity, asked.orgId, asked.userId)
    const erased = await readJournal(eraseData(scope, { ...deps, streams }))
    logger.info({ by: who(identity), of: scope, erased }, '[Data] erased')
    answer(ctx, erased)
  })

  router.get('/runtime/export', async (ctx) => {
    const identity = await authenticate(ctx, 'admin')
    const { orgId, userId } = guard(exportQuerySchema, ctx.query)
    const scope = { ...scopeOf(identity, orgId, userId), userId }
    const pieces = exportedData(scope, sessions, clock.wall(), (exported) =>
      logger.info({ by: who(identity), of: scope, exported }, '[Data] exported'),
    )
    // What is wrong from the start is still told as a refusal; later on the connection is cut.
    const first = await pieces.next()
    ctx.set('Cache-Control', 'no-store')
    ctx.type = 'application/json; charset=utf-8'
    const body = Readable.from(following(first, pieces), { objectMode: false, highWaterMark: 65_536 })
    // Koa leaves the answer open where its stream fails behind the head.
    body.on('error', () => ctx.res.destroy())
    ctx.body = body
    // A reader that takes nothing holds a conversation in memory.
    ctx.res.setTimeout(timing.slowReaderMs, () => ctx.res.destroy())
  })
}

/** An owner reaches every org; anybody else the own one alone. @throws Problem 403 */
function scopeOf(identity: Identity, orgId: string | undefined, userId: string | undefined): DataScope {
  const reachesAll = hasRole(identity, 'owner')
  if (orgId !== undefined && orgId !== identity.orgId && !reachesAll) throw new Problem('other_org')
  const org = orgId ?? (reachesAll ? undefined : identity.orgId)
  if (org === undefined) {
    if (userId === undefined) throw new Problem('body_fields')
    return { userId }
  }
  return userId === undefined ? { orgId: org } : { orgId: org, userId }
}

const who = ({ userId, orgId }: Identity) => ({ userId, orgId })

async function* following(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void>,
): AsyncGenerator<string> {
  if (first.done === true) return
  yield first.value
  yield* rest
}
