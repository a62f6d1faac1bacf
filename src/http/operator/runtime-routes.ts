import type Router from '@koa/router'
import { explainQuerySchema } from '../../protocol/api.js'
import type { EndpointsView } from '../../protocol/fallback.js'
import type { AppDeps } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { hasRole } from '../auth/claims.js'
import { answer } from '../edge/answer.js'
import { guard } from '../edge/guard.js'
import { languageOf } from '../edge/language.js'
import { Problem } from '../edge/problems.js'
import { explainDecision } from './explain.js'

/** What operators look at. */
export function mountRuntimeRoutes(router: Router, authenticate: Authenticate, deps: AppDeps): void {
  const { operatorRole } = deps.config.auth

  router.get('/runtime/endpoints', async (ctx) => {
    await authenticate(ctx, operatorRole)
    answer(ctx, { replica: deps.config.replica, ...deps.llmState() } satisfies EndpointsView)
  })

  router.get('/runtime/explain', async (ctx) => {
    const identity = await authenticate(ctx, 'admin')
    const query = guard(explainQuerySchema, ctx.query)
    const caller = {
      orgId: query.orgId ?? identity.orgId,
      userId: query.userId ?? identity.userId,
      agentId: query.agentId ?? '',
      sessionId: query.sessionId ?? deps.ids.newId(),
    }
    if (caller.orgId !== identity.orgId && !hasRole(identity, operatorRole)) throw new Problem('other_org')
    const flags = await deps.flags.forTurn(caller)
    answer(ctx, explainDecision(caller, flags, deps.fallback, deps.rollout, languageOf(ctx)))
  })
}
