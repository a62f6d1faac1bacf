import type Router from '@koa/router'
import { keptWindows } from '../../metrics/windows/kept-windows.js'
import { instant } from '../../protocol/instant.js'
import {
  HISTORY_STEP_SECONDS,
  type MetricsHistory,
  metricsHistoryQuerySchema,
} from '../../protocol/kept-metrics.js'
import type { AppDeps } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { hasRole } from '../auth/claims.js'
import { answer } from '../edge/answer.js'
import type { ConcurrencyLimiter } from '../edge/concurrency-limiter.js'
import { guard } from '../edge/guard.js'
import { Problem, readJournal } from '../edge/problems.js'

/**
 * What charts of both backends begin with.
 * @param reports made at a time
 */
export function mountMetricsHistoryRoutes(
  router: Router,
  authenticate: Authenticate,
  reports: ConcurrencyLimiter,
  { config, journal, clock }: AppDeps,
): void {
  router.get('/runtime/metrics-history', async (ctx) => {
    const identity = await authenticate(ctx, 'admin')
    const { minutes, windowSeconds, orgId } = guard(metricsHistoryQuerySchema, ctx.query)
    if (orgId !== identity.orgId && !hasRole(identity, config.auth.operatorRole))
      throw new Problem('other_org')
    const windowSteps = Math.ceil(windowSeconds / HISTORY_STEP_SECONDS)
    const of = orgId === undefined ? {} : { orgId }
    const found = await reports.run(
      () =>
        readJournal(
          keptWindows((span) => journal.executions({ ...span, ...of }), {
            to: clock.wall(),
            points: (minutes * 60) / HISTORY_STEP_SECONDS + 1,
            stepMs: HISTORY_STEP_SECONDS * 1000,
            windowSteps,
          }),
        ),
      () => ctx.writable,
    )
    answer(ctx, {
      orgId: orgId ?? null,
      windowSeconds: windowSteps * HISTORY_STEP_SECONDS,
      points: found.map(({ at, modes }) => ({
        at: instant(at),
        direct: modes.direct_llm,
        runtime: modes.runtime_orchestrator,
      })),
    } satisfies MetricsHistory)
  })
}
