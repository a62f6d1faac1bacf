import type Router from '@koa/router'
import type { ComparisonQuery, ComparisonSums } from '../journal/comparison.js'
import type { ExecutionMode } from '../protocol/modes.js'
import { SHADOW_SAMPLES_MAX, shadowReportQuerySchema } from '../protocol/shadow-report.js'
import { shadowReport } from '../shadow/report.js'
import { answer } from './answer.js'
import type { AppDeps } from './app-deps.js'
import type { Authenticate } from './auth.js'
import { guard } from './guard.js'
import { readJournal } from './read-journal.js'
import { spanOfQuery } from './span-query.js'

const WEEK_MS = 7 * 86_400_000

/** What would change if users were switched to the other backend. */
export function mountShadowRoutes(
  router: Router,
  authenticate: Authenticate,
  { config, journal, shadows, clock }: AppDeps,
): void {
  router.get('/runtime/shadow/report', async (ctx) => {
    await authenticate(ctx, config.auth.operatorRole)
    const { orgId, agentId, control, ...instants } = guard(shadowReportQuerySchema, ctx.query)
    const about = {
      ...spanOfQuery(instants, clock.wall(), WEEK_MS),
      ...(orgId === undefined ? {} : { orgId }),
      ...(agentId === undefined ? {} : { agentId }),
    }
    const { sums, query } = await readJournal(sumsOf(journal, about, control))
    const contents = config.shadow.keepContent
      ? await readJournal(journal.comparisonContents(query, SHADOW_SAMPLES_MAX))
      : undefined
    answer(
      ctx,
      shadowReport(sums, {
        ...about,
        control: query.controlMode,
        dropped: shadows.counts().dropped,
        ...(contents === undefined ? {} : { contents }),
      }),
    )
  })
}

interface Summed {
  readonly query: ComparisonQuery
  readonly sums: ComparisonSums
}

/** Of the control asked for; else of the one that was compared more often, the direct LLM first. */
async function sumsOf(
  journal: AppDeps['journal'],
  about: Omit<ComparisonQuery, 'controlMode'>,
  control: ExecutionMode | undefined,
): Promise<Summed> {
  const summed = async (controlMode: ExecutionMode): Promise<Summed> => {
    const query = { ...about, controlMode }
    return { query, sums: await journal.comparisonSums(query) }
  }
  if (control !== undefined) return summed(control)
  const [direct, runtime] = [await summed('direct_llm'), await summed('runtime_orchestrator')]
  return runtime.sums.ab.pairs > direct.sums.ab.pairs ? runtime : direct
}
