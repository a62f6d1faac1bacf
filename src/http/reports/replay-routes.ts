import { isDeepStrictEqual } from 'node:util'
import type Router from '@koa/router'
import { z } from 'zod'
import { type Guardrails, guardrailsSchema, resolveGuardrails } from '../../decision/guardrails.js'
import type { Transition } from '../../journal/journal.js'
import { instant } from '../../protocol/instant.js'
import {
  REPLAY_MAX_DAYS,
  type ReplayTransition,
  type ReplayView,
  replayRequestSchema,
} from '../../protocol/replay.js'
import { transitionView } from '../../protocol/transition-view.js'
import type { ReplayAnswer, ReplaySide } from '../../replay/replay.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import type { ConcurrencyLimiter } from '../edge/concurrency-limiter.js'
import { guard } from '../edge/guard.js'
import { type Language, languageOf, type Sentence } from '../edge/language.js'
import { Problem, readJournal } from '../edge/problems.js'
import { readJson } from '../edge/read-body.js'
import { spanOfQuery } from './span-query.js'

const DAY_MS = 86_400_000

/** What the fallback would have done with other guardrails. */
export function mountReplayRoutes(
  router: Router,
  authenticate: Authenticate,
  reports: ConcurrencyLimiter,
  deps: AppDeps,
): void {
  const { clock, config, flags, replay } = deps
  router.post('/runtime/replay', async (ctx) => {
    await authenticate(ctx, config.auth.operatorRole)
    const body = guard(replayRequestSchema, await readJson(ctx, { ...EDGE_TIMING, ...deps.timing, clock }))
    const span = spanOfQuery(body, clock.wall(), DAY_MS)
    if (span.to - span.from > REPLAY_MAX_DAYS * DAY_MS)
      throw new Problem('body_fields', { details: [TOO_LONG] })
    const inForce = (await flags.forService()).guardrails
    const guardrails = changedGuardrails(inForce, body.guardrails, config.codeDefaults)
    const told = await reports.run(
      () => readJournal(replay({ ...span, guardrails })),
      () => ctx.writable,
    )
    answer(ctx, replayView(span, inForce, guardrails, told, languageOf(ctx)))
  })
}

const TOO_LONG: Sentence = {
  'zh-CN': `from: 与 to 之间最多 ${REPLAY_MAX_DAYS} 天`,
  en: `from: must be at most ${REPLAY_MAX_DAYS} days before to`,
}

const givenSchema = z.object({ guardrails: z.strictObject(guardrailsSchema.shape) })

/** @throws Problem 400 with one line a field */
function changedGuardrails(
  inForce: Guardrails,
  given: Readonly<Record<string, unknown>>,
  environment: AppDeps['config']['codeDefaults'],
): Guardrails {
  const { guardrails } = guard(givenSchema, { guardrails: { ...inForce, ...given } })
  // The rules between fields; each for itself was checked above.
  return resolveGuardrails(guardrailsSchema.parse(guardrails), environment)
}

/** A replay takes executions and probes as they ended, so these change nothing. */
const IGNORED: ReadonlySet<string> = new Set([
  'probeIntervalMs',
  'probeTimeoutMs',
  'probeFailures',
  'recoveryShadowPercent',
  'leaseSeconds',
  'connectMs',
  'headersMs',
  'firstContentMs',
  'gapMs',
  'abandonAfterMs',
  'llm',
  'softFailures',
])

function replayView(
  { from, to }: { readonly from: number; readonly to: number },
  inForce: Guardrails,
  replayed: Guardrails,
  told: ReplayAnswer,
  language: Language,
): ReplayView {
  const before = new Map<string, unknown>(Object.entries(inForce))
  const changed = Object.entries<unknown>(replayed)
    .filter(([name, value]) => !isDeepStrictEqual(value, before.get(name)))
    .map(([name, value]) => ({ name, inForce: before.get(name), replayed: value }))
  const { since, ...evidence } = told.evidence
  return {
    from: instant(from),
    to: instant(to),
    until: instant(told.until),
    partial: told.partial ?? null,
    changed,
    ignored: changed.map(({ name }) => name).filter((name) => IGNORED.has(name)),
    replayed: sideView(told.replayed, language),
    happened: sideView(told.happened, language),
    evidence: { ...evidence, since: since === undefined ? null : instant(since) },
    limits: limitsOf(told).map((limit) => limit[language]),
  }
}

const sideView = (
  { transitions, fallbackMs, recoveringMs, ...side }: ReplaySide,
  language: Language,
): ReplayView['replayed'] => ({
  ...side,
  fallbackMs: Math.round(fallbackMs),
  recoveringMs: Math.round(recoveringMs),
  transitions: transitions.map((transition) => shown(transition, language)),
})

function shown(transition: Transition, language: Language): ReplayTransition {
  const {
    actor: _,
    replica: __,
    revision: ___,
    manualFrom: ____,
    evidence: _____,
    guardrails: ______,
    ...view
  } = transitionView(transition, language)
  return view
}

function limitsOf({ happened, replayed, evidence }: ReplayAnswer): readonly Sentence[] {
  const isAway = happened.fallbackMs + happened.recoveringMs > 0
  const isElsewhere = replayed.fallbackMs + replayed.recoveringMs > 0
  return [
    ...(evidence.since === undefined ? [NO_EVIDENCE] : []),
    ...(isAway ? [UNSEEN] : []),
    ...(isElsewhere ? [STAND_IN, HOLD] : []),
    ONE_REPLICA,
    AS_THEY_ENDED,
  ]
}

const NO_EVIDENCE: Sentence = {
  'zh-CN': '该时段的记录为空：没有执行、探测或人工操作可供重放',
  en: 'The journal has nothing of this time: no executions, no probes, no commands',
}
const UNSEEN: Sentence = {
  'zh-CN': '实际处于回退期间，用户请求没有到达 runtime，只有恢复影子请求的结果可用',
  en: 'While there was a fallback, no users were on the runtime: only recovery shadows tell how it did',
}
const STAND_IN: Sentence = {
  'zh-CN': '重放处于回退而实际没有回退时，用户请求的结果代替恢复影子请求',
  en: 'Where the replay is in a fallback that did not happen, users’ executions stand for its recovery shadows',
}
const HOLD: Sentence = {
  'zh-CN': '回退保持时间的随机部分取平均值，恢复时刻可能相差几秒',
  en: 'The random part of a hold is taken at its mean: a recovery may be some seconds off',
}
const ONE_REPLICA: Sentence = {
  'zh-CN': '所有副本的执行合在一起判断，策略始终视为 auto，不重放手工编辑的覆盖文件',
  en: 'All replicas are judged as one, under the policy auto; edits of the override file by hand are left out',
}
const AS_THEY_ENDED: Sentence = {
  'zh-CN': '执行与探测按当时的结果计入：改变超时时间或探测设置不会改变它们',
  en: 'Executions and probes count as they ended: other deadlines and probe settings change none of them',
}
