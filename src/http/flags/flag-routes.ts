import { basename } from 'node:path'
import type Router from '@koa/router'
import type { Context } from 'koa'
import { isJsonFault, parseJsonTree } from '../../core/json/json-tree.js'
import { OpsDocument } from '../../flag-edits/ops-document.js'
import { opsValues } from '../../flag-edits/ops-values.js'
import { historyQuerySchema } from '../../protocol/fallback.js'
import {
  type FlagEdit,
  type FlagEditAnswer,
  type FlagEditEffect,
  type FlagEditPreview,
  flagEditQuerySchema,
} from '../../protocol/flag-edit.js'
import {
  type FlagEditEntry,
  type FlagEditRecord,
  flagEditEvent,
  keptChanges,
} from '../../protocol/flag-edit-record.js'
import type { Stored } from '../../store/flag-store.js'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import type { Identity } from '../auth/claims.js'
import { answer } from '../edge/answer.js'
import type { ConcurrencyLimiter } from '../edge/concurrency-limiter.js'
import { guard } from '../edge/guard.js'
import { isKnownTag } from '../edge/known-tag.js'
import { type Language, languageOf, type Sentence } from '../edge/language.js'
import { Problem, readJournal, retryLater } from '../edge/problems.js'
import { readJson } from '../edge/read-body.js'
import { editEffect } from './edit-effect.js'
import { makeEdit, type PlannedEdit, planEdit } from './edit-flags.js'
import type { FlagEditFeed } from './flag-edit-feed.js'
import { flagsTag, matchesOf } from './flags-tag.js'
import { flagsView } from './flags-view.js'
import { guardEdit } from './guard-edit.js'
import { textDiff } from './text-diff.js'

/** The operators' flags: what they say, and edits of them. */
export function mountFlagRoutes(
  router: Router,
  authenticate: Authenticate,
  edits: FlagEditFeed,
  reports: ConcurrencyLimiter,
  deps: AppDeps,
): void {
  const { operatorRole } = deps.config.auth

  router.get('/runtime/flags', async (ctx) => {
    await authenticate(ctx, operatorRole)
    const stored = await deps.opsFile.read()
    const view = flagsView(deps.flags.status(), deps.config, stored, deps.opsFile.name)
    const etag = flagsTag(stored, view)
    answer(ctx, view)
    tell(ctx, etag)
    // Koa's own freshness gives way to `Cache-Control: no-cache`, which every fetch() with If-None-Match sends along.
    if (isKnownTag(ctx.get('If-None-Match'), etag)) ctx.status = 304
  })

  router.patch('/runtime/flags', async (ctx) => {
    const identity = await authenticate(ctx, operatorRole)
    const edit = guardEdit(await readJson(ctx, { ...EDGE_TIMING, ...deps.timing, clock: deps.clock }))
    const { dryRun } = guard(flagEditQuerySchema, ctx.query)
    const matches = matchesOf(ctx.get('If-Match'))
    if (dryRun === 'true') {
      const plan = await planEdit(edit, matches ?? 'any', deps)
      const effect = await reports.run(
        () => effectOf(plan, deps, languageOf(ctx)),
        () => ctx.writable,
      )
      const etag = tagOf(plan.before, deps)
      answer(ctx, previewOf(plan, etag, effect, deps.opsFile.name ?? deps.config.flags.opsFile))
      return
    }
    if (matches === undefined) throw new Problem('flags_if_match')
    if (deps.lifecycle.state() === 'draining') throw retryLater('draining', 1)
    const { userId } = identity
    const { state } = deps.rollout.snapshot().rollout.progress
    const isUnderWay = state !== 'none' && state !== 'ended'
    let noted: Promise<unknown> | undefined
    const made = await makeEdit(edit, matches, {
      ...deps,
      onWritten: (plan, flags) => {
        // Before it is in force: whatever it does to the rollout is this person's.
        noted = deps.rollout.command({ kind: 'flags_edited', userId })
        edits.tell(recordOf(plan, identity, deps), flags)
      },
    })
    await noted
    const ended = await endedRollout(isUnderWay, edit, userId, deps)
    const { changes, after, inForce } = made
    const etag = tagOf(after, deps)
    answer(ctx, {
      changes: [...changes],
      etag,
      inForce,
      note: noteOf(inForce, ended, languageOf(ctx)),
      values: valuesOf(after.text),
    } satisfies FlagEditAnswer)
    tell(ctx, etag)
  })

  router.get('/runtime/flags/history', async (ctx) => {
    await authenticate(ctx, operatorRole)
    const { limit, before } = guard(historyQuerySchema, ctx.query)
    const kept = await readJournal(deps.journal.flagEdits(limit, before))
    answer(
      ctx,
      kept.map(({ id, ...edit }): FlagEditEntry => ({ id, ...flagEditEvent(edit) })),
    )
  })
}

/** An edit can be judged without: null if the journal cannot be read. */
async function effectOf(
  plan: PlannedEdit,
  deps: AppDeps,
  language: Language,
): Promise<FlagEditEffect | null> {
  try {
    return await readJournal(editEffect(plan, deps, language))
  } catch (thrown) {
    if (thrown instanceof Problem) return null
    throw thrown
  }
}

const previewOf = (
  { before, after, changes }: PlannedEdit,
  etag: string,
  effect: FlagEditEffect | null,
  file: string,
): FlagEditPreview => ({
  dryRun: true,
  changes: [...changes],
  etag,
  diff: textDiff(basename(file), before.text, after.text),
  effect,
  values: valuesOf(after.text),
})

/** Who, what, before → after. */
const recordOf = (
  { before, after, changes }: PlannedEdit,
  { userId, orgId }: Identity,
  { clock, config }: AppDeps,
): FlagEditRecord => ({
  at: clock.wall(),
  replica: config.replica,
  userId,
  orgId,
  changes: keptChanges(changes),
  fromContent: before.hash,
  toContent: after.hash,
})

const NOT_YET: Sentence = {
  'zh-CN': '已写入，但两秒内未在本副本生效，请查看 GET /api/v1/runtime/flags 的 state 与 faults',
  en: 'It is written, but was not in force in this replica within two seconds. Look at state and faults of GET /api/v1/runtime/flags',
}

const ROLLOUT_ENDED: Sentence = {
  'zh-CN': '灰度放量随之结束',
  en: 'The guarded rollout ended with it',
}

function noteOf(inForce: boolean, ended: boolean, language: Language): string {
  if (!inForce) return NOT_YET[language]
  return ended ? ROLLOUT_ENDED[language] : ''
}

/** Once the edit is in force: whether it ended the rollout that was under way. */
async function endedRollout(
  isUnderWay: boolean,
  { mode, canaryPercent }: FlagEdit,
  userId: string,
  { rollout }: AppDeps,
): Promise<boolean> {
  if (!isUnderWay || (mode === undefined && canaryPercent === undefined)) return false
  const { progress } = (await rollout.command({ kind: 'flags_edited', userId })).rollout
  return progress.state === 'ended' && (progress.how === 'permanent' || progress.how === 'superseded')
}

const tell = (ctx: Context, etag: string): void => ctx.set({ ETag: etag, 'Cache-Control': 'no-cache' })

const tagOf = (stored: Stored, { flags, config, opsFile }: AppDeps): string =>
  flagsTag(stored, flagsView(flags.status(), config, stored, opsFile.name))

/** @throws never for what an edit made */
function valuesOf(text: string): FlagEditAnswer['values'] {
  const root = parseJsonTree(text)
  if (isJsonFault(root)) throw new Error(`an edit broke the document: ${root.message.en}`)
  return opsValues(new OpsDocument(root))
}
