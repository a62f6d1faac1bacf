import type Router from '@koa/router'
import type { Context } from 'koa'
import type { FallbackSnapshot } from '../../fallback/fallback.js'
import { historyQuerySchema, type OrgMetricsView, triggerRequestSchema } from '../../protocol/fallback.js'
import { transitionView } from '../../protocol/transition-view.js'
import type { SeenReplica } from '../../replicas/replicas.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { hasRole } from '../auth/claims.js'
import { answer } from '../edge/answer.js'
import { guard } from '../edge/guard.js'
import { languageOf } from '../edge/language.js'
import { Problem, readJournal, retryLater } from '../edge/problems.js'
import { type BodyLimits, ignoreBody, readOptionalJson } from '../edge/read-body.js'
import type { FlagEditFeed } from '../flags/flag-edit-feed.js'
import { metricsView, snapshotForOrg, statusView } from './fallback-view.js'
import { guardManualOrgs } from './manual-orgs.js'
import { createOperatorEvents } from './operator-events.js'

/** Watching the fallback, and steering it by hand. What reaches beyond one org needs the operators' role. */
export function mountFallbackRoutes(
  router: Router,
  authenticate: Authenticate,
  edits: FlagEditFeed,
  deps: AppDeps,
): void {
  mountMetrics(router, authenticate, deps)
  mountCommands(router, authenticate, deps)
  mountHistory(router, authenticate, deps)
  mountEvents(router, authenticate, edits, deps)
}

function mountMetrics(router: Router, authenticate: Authenticate, deps: AppDeps): void {
  const { fallback, windows } = deps
  const { operatorRole } = deps.config.auth

  router.get('/runtime/metrics', async (ctx) => {
    await authenticate(ctx, operatorRole)
    answer(ctx, metricsView(windows, fallback.snapshot(), languageOf(ctx)))
  })

  router.get('/runtime/metrics/:orgId', async (ctx) => {
    const identity = await authenticate(ctx, 'admin')
    const orgId = ctx.params.orgId ?? ''
    if (orgId !== identity.orgId && !hasRole(identity, 'owner')) throw new Problem('other_org')
    answer(ctx, {
      orgId,
      direct: windows.ofOrg(orgId, 'direct_llm'),
      runtime: windows.ofOrg(orgId, 'runtime_orchestrator'),
    } satisfies OrgMetricsView)
  })

  router.get('/runtime/fallback/status', async (ctx) => {
    await authenticate(ctx, operatorRole)
    answerStatus(ctx, fallback.snapshot(), deps.replicas.seen())
  })
}

function mountCommands(router: Router, authenticate: Authenticate, deps: AppDeps): void {
  const { fallback } = deps
  const { operatorRole } = deps.config.auth
  const bodyLimits: BodyLimits = { ...EDGE_TIMING, ...deps.timing, clock: deps.clock }

  router.post('/runtime/fallback/reset', async (ctx) => {
    const { userId } = await authenticate(ctx, operatorRole)
    ignoreBody(ctx, bodyLimits)
    refuseDraining(deps)
    answerStatus(ctx, await fallback.command({ kind: 'reset', userId }), deps.replicas.seen())
  })

  router.post('/runtime/fallback/trigger', async (ctx) => {
    const identity = await authenticate(ctx, 'admin')
    const body = await readOptionalJson(ctx, bodyLimits)
    const request = guard(triggerRequestSchema, body === undefined ? {} : body)
    const forAll = hasRole(identity, operatorRole)
    const orgIds = request.orgIds === undefined ? undefined : [...new Set(request.orgIds)]
    const ownOrgAlone = orgIds?.length === 1 && orgIds[0] === identity.orgId
    if (!forAll && !ownOrgAlone) throw new Problem('own_org_only')
    if (orgIds !== undefined) guardManualOrgs(orgIds, fallback.snapshot().override.manual)
    refuseDraining(deps)
    const snapshot = await fallback.command({
      kind: 'trigger',
      userId: identity.userId,
      reason: request.reason ?? '',
      ...(request.ttlSeconds === undefined ? {} : { ttlSeconds: request.ttlSeconds }),
      ...(orgIds === undefined ? {} : { orgIds }),
    })
    if (forAll) answerStatus(ctx, snapshot, deps.replicas.seen())
    else answerStatus(ctx, snapshotForOrg(snapshot, identity.orgId), [])
  })
}

/** A replica that goes away decides nothing any more; another one takes the command. */
function refuseDraining({ lifecycle }: AppDeps): void {
  if (lifecycle.state() === 'draining') throw retryLater('draining', 1)
}

function mountHistory(router: Router, authenticate: Authenticate, { config, journal }: AppDeps): void {
  router.get('/runtime/fallback/history', async (ctx) => {
    await authenticate(ctx, config.auth.operatorRole)
    const { limit, before } = guard(historyQuerySchema, ctx.query)
    const language = languageOf(ctx)
    const kept = await readJournal(journal.transitions(limit, before))
    answer(
      ctx,
      kept.map((transition) => ({ id: transition.id, ...transitionView(transition, language) })),
    )
  })
}

function mountEvents(router: Router, authenticate: Authenticate, edits: FlagEditFeed, deps: AppDeps): void {
  const events = createOperatorEvents(deps, edits)
  router.get('/runtime/events', async (ctx) => {
    const identity = await authenticate(ctx, deps.config.auth.operatorRole)
    if (ctx.method === 'HEAD') {
      ctx.status = 200
      ctx.set({
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-cache, no-transform',
      })
      return
    }
    await events.serve(ctx, identity)
  })
}

function answerStatus(ctx: Context, snapshot: FallbackSnapshot, replicas: readonly SeenReplica[]): void {
  answer(ctx, statusView(snapshot, languageOf(ctx), replicas))
}
