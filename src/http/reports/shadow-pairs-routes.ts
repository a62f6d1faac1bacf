import type Router from '@koa/router'
import type { KeptPairSide } from '../../journal/comparison.js'
import { instant } from '../../protocol/instant.js'
import { EXECUTION_MODES, type ExecutionMode, otherMode } from '../../protocol/modes.js'
import { type ShadowPair, type ShadowPairs, shadowPairsQuerySchema } from '../../protocol/shadow-pairs.js'
import { FirstPairs, type RankedPair } from '../../shadow/report/first-pairs.js'
import type { AppDeps } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import type { ConcurrencyLimiter } from '../edge/concurrency-limiter.js'
import { guard } from '../edge/guard.js'
import { readJournal } from '../edge/problems.js'
import { shadowSubject } from './shadow-subject.js'

/** contents of one instant, org and agent that are looked through for that of a pair */
const MOST_CONTENTS = 100
/** similarities are kept to 0.0001 */
const SAME_SIMILARITY = 0.0001

/**
 * Single pairs of both backends, those that differ most first. Reads the kept pairs of the span page by page, at most as many as the
 * journal keeps.
 * @param reports made at a time
 */
export function mountShadowPairsRoutes(
  router: Router,
  authenticate: Authenticate,
  reports: ConcurrencyLimiter,
  { config, journal, clock }: AppDeps,
): void {
  router.get('/runtime/shadow/pairs', async (ctx) => {
    await authenticate(ctx, config.auth.operatorRole)
    const { control, sort, limit, ...asked } = guard(shadowPairsQuerySchema, ctx.query)
    const about = shadowSubject(asked, clock.wall())
    const first = new FirstPairs(sort, limit)
    const read = async (): Promise<readonly ShadowPair[]> => {
      for (const controlMode of control === undefined ? EXECUTION_MODES : [control])
        for await (const page of journal.pairs({ ...about, controlMode }))
          for (const pair of page) first.add(pair)
      const pairs: ShadowPair[] = []
      for (const ranked of first.pairs()) {
        const content = config.shadow.keepContent ? await contentOf(journal, ranked) : undefined
        pairs.push({ ...pairView(ranked), ...(content === undefined ? {} : { content }) })
      }
      return pairs
    }
    const pairs = await reports.run(
      () => readJournal(read()),
      () => ctx.writable,
    )
    answer(ctx, {
      from: instant(about.from),
      to: instant(about.to),
      orgId: about.orgId ?? null,
      agentId: about.agentId ?? null,
      control: control ?? null,
      sort,
      compared: first.compared,
      pairs: [...pairs],
    } satisfies ShadowPairs)
  })
}

/** Contents are kept apart, for a shorter time, and name no turn: that of the same instant and similarity is the pair's, if it is the only one. */
async function contentOf(
  journal: AppDeps['journal'],
  { pair: { at, orgId, agentId, controlMode, textSimilarity } }: RankedPair,
): Promise<ShadowPair['content']> {
  const query = { from: at, to: at + 1, orgId, agentId, controlMode }
  const found = (await journal.comparisonContents(query, MOST_CONTENTS)).filter(
    (content) =>
      content.kind === 'ab' &&
      Math.abs((content.textSimilarity ?? -1) - (textSimilarity ?? -1)) <= SAME_SIMILARITY,
  )
  const [only, ...more] = found
  return only === undefined || more.length > 0
    ? undefined
    : { control: only.control, candidate: only.candidate }
}

const pairView = ({ pair, difference, parts }: RankedPair): ShadowPair => ({
  at: instant(pair.at),
  orgId: pair.orgId,
  agentId: pair.agentId,
  sessionId: pair.sessionId ?? null,
  messageId: pair.messageId ?? null,
  difference,
  parts,
  control: sideView(pair.controlMode, pair.control),
  candidate: sideView(otherMode(pair.controlMode), pair.candidate),
})

function sideView(mode: ExecutionMode, side: KeptPairSide): ShadowPair['control'] {
  return {
    mode,
    result: side.result,
    code: side.code ?? null,
    latencyMs: side.latencyMs,
    firstContentMs: side.firstContentMs ?? null,
    tokens: side.tokens ?? null,
    characters: side.characters,
  }
}
