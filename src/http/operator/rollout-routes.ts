import { isDeepStrictEqual } from 'node:util'
import type Router from '@koa/router'
import type { Context } from 'koa'
import { historyQuerySchema } from '../../protocol/fallback.js'
import { type RolloutEntry, rolloutCommandSchema, rolloutRequestSchema } from '../../protocol/rollout.js'
import { rolloutChangeView } from '../../protocol/rollout-text.js'
import type { RolloutSnapshot } from '../../rollout/rollout.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import { guard } from '../edge/guard.js'
import { languageOf } from '../edge/language.js'
import { Problem, type ProblemName, readJournal, retryLater } from '../edge/problems.js'
import { type BodyLimits, readJson, readOptionalJson } from '../edge/read-body.js'
import { rolloutView } from './rollout-view.js'

/** The guarded rollout: watched, started, paused, resumed and aborted by operators. */
export function mountRolloutRoutes(router: Router, authenticate: Authenticate, deps: AppDeps): void {
  const { rollout, journal } = deps
  const { operatorRole } = deps.config.auth
  const bodyLimits: BodyLimits = { ...EDGE_TIMING, ...deps.timing, clock: deps.clock }

  router.get('/runtime/rollout', async (ctx) => {
    await authenticate(ctx, operatorRole)
    answerView(ctx, rollout.snapshot())
  })

  router.post('/runtime/rollout', async (ctx) => {
    const { userId } = await authenticate(ctx, operatorRole)
    const request = guard(rolloutRequestSchema, await readJson(ctx, bodyLimits))
    refuseDraining(deps)
    const { rollout: present, opsMode } = rollout.snapshot()
    const { state } = present.progress
    if (state !== 'none' && state !== 'ended') throw new Problem('rollout_running')
    if (opsMode === 'runtime') throw new Problem('rollout_default_runtime')
    if (opsMode === 'targeting') throw new Problem('rollout_targeting')
    const { stages, everyMinutes, orgIds, agentIds, reason = '' } = request
    const plan = {
      stages,
      everyMinutes,
      ...(orgIds === undefined ? {} : { orgIds: unique(orgIds) }),
      ...(agentIds === undefined ? {} : { agentIds: unique(agentIds) }),
    }
    const snapshot = await rollout.command({ kind: 'start', userId, plan, reason })
    const { progress } = snapshot.rollout
    if (progress.state === 'none' || progress.state === 'ended') throw notWritten(snapshot)
    // Another replica was faster, with another plan.
    if (!isDeepStrictEqual(progress.plan, plan)) throw new Problem('rollout_running')
    answerView(ctx, snapshot)
  })

  mountCommand('pause', 'running', 'rollout_not_running')
  mountCommand('resume', 'paused', 'rollout_not_paused')
  mountCommand('abort', undefined, 'rollout_none')

  router.get('/runtime/rollout/history', async (ctx) => {
    await authenticate(ctx, operatorRole)
    const { limit, before } = guard(historyQuerySchema, ctx.query)
    const language = languageOf(ctx)
    const kept = await readJournal(journal.rolloutChanges(limit, before))
    answer(
      ctx,
      kept.map(({ id, ...change }): RolloutEntry => ({ id, ...rolloutChangeView(change, language) })),
    )
  })

  /** `from`: the state it needs; undefined: any under way */
  function mountCommand(
    kind: 'pause' | 'resume' | 'abort',
    from: 'running' | 'paused' | undefined,
    otherwise: ProblemName,
  ): void {
    router.post(`/runtime/rollout/${kind}`, async (ctx) => {
      const { userId } = await authenticate(ctx, operatorRole)
      const body = await readOptionalJson(ctx, bodyLimits)
      const { reason = '' } = guard(rolloutCommandSchema, body === undefined ? {} : body)
      refuseDraining(deps)
      const { state } = rollout.snapshot().rollout.progress
      if (from === undefined ? state === 'none' || state === 'ended' : state !== from)
        throw new Problem(otherwise)
      const snapshot = await rollout.command({ kind, userId, reason })
      // Towards the runtime only by the file; a pause and an abort act at once, and the view says whether they are in it.
      if (kind === 'resume' && snapshot.rollout.progress.state === 'paused') throw notWritten(snapshot)
      answerView(ctx, snapshot)
    })
  }
}

function notWritten({ alerts }: RolloutSnapshot): Problem {
  const details = alerts.map(({ detail }) => ({ 'zh-CN': detail, en: detail }))
  return new Problem('rollout_not_written', { headers: { 'Retry-After': '2' }, details })
}

/** A replica that goes away decides nothing any more; another one takes the command. */
function refuseDraining({ lifecycle }: AppDeps): void {
  if (lifecycle.state() === 'draining') throw retryLater('draining', 1)
}

function answerView(ctx: Context, snapshot: RolloutSnapshot): void {
  answer(ctx, rolloutView(snapshot, languageOf(ctx)))
}

const unique = (values: readonly string[]): string[] => [...new Set(values)].sort()
