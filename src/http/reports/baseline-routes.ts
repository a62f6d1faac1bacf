import type Router from '@koa/router'
import type { Span } from '../../journal/comparison.js'
import { baselineOf } from '../../metrics/baseline.js'
import {
  BASELINE_METRICS,
  BASELINE_TARGETS,
  type BaselineCell,
  type BaselineMetric,
  type BaselineView,
  baselineQuerySchema,
} from '../../protocol/baseline.js'
import {
  type BaselineCells,
  baselineName,
  baselineSentence,
  baselineTarget,
} from '../../protocol/baseline-text.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import { instant } from '../../protocol/instant.js'
import type { AppDeps } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import type { ConcurrencyLimiter } from '../edge/concurrency-limiter.js'
import { guard } from '../edge/guard.js'
import { type Language, languageOf } from '../edge/language.js'
import { readJournal } from '../edge/problems.js'
import { spanOfQuery } from './span-query.js'

const DAY_MS = 86_400_000

/**
 * Both execution modes beside the operators' targets.
 * @param reports made at a time
 */
export function mountBaselineRoutes(
  router: Router,
  authenticate: Authenticate,
  reports: ConcurrencyLimiter,
  { config, journal, clock }: AppDeps,
): void {
  router.get('/runtime/baseline', async (ctx) => {
    await authenticate(ctx, config.auth.operatorRole)
    const { orgId, ...instants } = guard(baselineQuerySchema, ctx.query)
    const span = {
      ...spanOfQuery(instants, clock.wall(), DAY_MS),
      ...(orgId === undefined ? {} : { orgId }),
    }
    const modes = await reports.run(
      () => readJournal(baselineOf(journal.executions(span))),
      () => ctx.writable,
    )
    answer(ctx, baselineView(span, modes.direct_llm, modes.runtime_orchestrator, languageOf(ctx)))
  })
}

function baselineView(
  { from, to, orgId }: Span,
  direct: WindowMetrics,
  runtime: WindowMetrics,
  language: Language,
): BaselineView {
  const cells = { direct: cellsOf(direct), runtime: cellsOf(runtime) }
  return {
    from: instant(from),
    to: instant(to),
    orgId: orgId ?? null,
    samples: { direct: direct.total, runtime: runtime.total },
    rows: BASELINE_METRICS.map((metric) => ({
      metric,
      name: baselineName(metric, language),
      target: BASELINE_TARGETS[metric],
      targetText: baselineTarget(metric),
      direct: cells.direct[metric],
      runtime: cells.runtime[metric],
    })),
    sentences: {
      direct: baselineSentence('direct', direct.total, cells.direct, language),
      runtime: baselineSentence('runtime', runtime.total, cells.runtime, language),
    },
  }
}

function cellsOf(metrics: WindowMetrics): BaselineCells {
  const cell = (metric: BaselineMetric): BaselineCell =>
    metrics.total === 0
      ? { value: null, met: null }
      : { value: metrics[metric], met: metrics[metric] < BASELINE_TARGETS[metric] }
  return {
    avgLatencyMs: cell('avgLatencyMs'),
    p95LatencyMs: cell('p95LatencyMs'),
    errorRate: cell('errorRate'),
    timeoutRate: cell('timeoutRate'),
  }
}
