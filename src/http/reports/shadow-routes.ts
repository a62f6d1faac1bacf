import type Router from '@koa/router'
import type {
  ComparisonContent,
  ComparisonQuery,
  ComparisonSums,
  DropSums,
} from '../../journal/comparison.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import { SHADOW_SAMPLES_MAX, shadowReportQuerySchema } from '../../protocol/shadow-report.js'
import { shadowReport } from '../../shadow/report/report.js'
import type { AppDeps } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import type { ConcurrencyLimiter } from '../edge/concurrency-limiter.js'
import { guard } from '../edge/guard.js'
import { readJournal } from '../edge/problems.js'
import { type ShadowSubject, shadowSubject } from './shadow-subject.js'

/**
 * What would change if users were switched to the other backend.
 * @param reports made at a time
 */
export function mountShadowRoutes(
  router: Router,
  authenticate: Authenticate,
  reports: ConcurrencyLimiter,
  { config, journal, clock }: AppDeps,
): void {
  router.get('/runtime/shadow/report', async (ctx) => {
    await authenticate(ctx, config.auth.operatorRole)
    const { control, ...asked } = guard(shadowReportQuerySchema, ctx.query)
    const about = shadowSubject(asked, clock.wall())
    const { query, sums, dropped, contents } = await reports.run(
      () => readJournal(materialOf(journal, about, control, config.shadow.keepContent)),
      () => ctx.writable,
    )
    answer(
      ctx,
      shadowReport(sums, {
        ...about,
        control: query.controlMode,
        dropped,
        ...(contents === undefined ? {} : { contents }),
      }),
    )
  })
}

/** What the journal has of one control. */
interface Material {
  readonly query: ComparisonQuery
  readonly sums: ComparisonSums
  readonly dropped: DropSums
  readonly contents?: readonly ComparisonContent[]
}

async function materialOf(
  journal: AppDeps['journal'],
  about: ShadowSubject,
  control: ExecutionMode | undefined,
  withContents: boolean,
): Promise<Material> {
  const material = await countsOf(journal, about, control)
  if (!withContents) return material
  return { ...material, contents: await journal.comparisonContents(material.query, SHADOW_SAMPLES_MAX) }
}

/**
 * Of the control asked for; else of the one that was compared more often, where neither was of the one of which more was
 * dropped, the direct LLM first.
 */
async function countsOf(
  journal: AppDeps['journal'],
  about: ShadowSubject,
  control: ExecutionMode | undefined,
): Promise<Material> {
  const counted = async (controlMode: ExecutionMode): Promise<Material> => {
    const query = { ...about, controlMode }
    return { query, sums: await journal.comparisonSums(query), dropped: await journal.drops(query) }
  }
  if (control !== undefined) return counted(control)
  const [direct, runtime] = [await counted('direct_llm'), await counted('runtime_orchestrator')]
  const more = runtime.sums.ab.pairs - direct.sums.ab.pairs || total(runtime.dropped) - total(direct.dropped)
  return more > 0 ? runtime : direct
}

const total = ({ reasons }: DropSums): number => Object.values(reasons).reduce((sum, count) => sum + count, 0)
