import { isJsonFault, parseJsonTree } from '../../core/json/json-tree.js'
import { counted } from '../../core/text.js'
import type { Caller } from '../../decision/caller.js'
import { modeByFile } from '../../decision/file/mode-by-file.js'
import { FLAG_KEYS } from '../../decision/flags.js'
import { OpsDocument } from '../../flag-edits/ops-document.js'
import type { ExecutedFor } from '../../journal/comparison.js'
import type { FlagEditEffect } from '../../protocol/flag-edit.js'
import { instant } from '../../protocol/instant.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import type { AppDeps } from '../app-deps.js'
import type { Language } from '../edge/language.js'
import type { PlannedEdit } from './edit-flags.js'

const DAY_MS = 86_400_000
/** sessions looked at: a second of work at most, page by page */
const MAX_SESSIONS = 100_000

/** sessions evaluated before the event loop has its turn: some 3 ms */
const SESSIONS_AT_ONCE = 100

const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type Counts = Pick<FlagEditEffect, 'sessions' | 'toRuntime' | 'toDirect' | 'unknown' | 'more'>

/** How many sessions of the last day an edit would send to the other side. @throws JournalUnavailable */
export async function editEffect(
  { before, after }: Pick<PlannedEdit, 'before' | 'after'>,
  { journal, clock, config, rollout }: Pick<AppDeps, 'journal' | 'clock' | 'config' | 'rollout'>,
  language: Language,
): Promise<FlagEditEffect> {
  const to = clock.wall()
  const from = to - DAY_MS
  const texts = [before.text, after.text] as const
  const isRolledOut = (caller: Caller): boolean => rollout.shareFor(caller, { on: false }).on
  const [now, then] = [
    modeByFile(before.text, config.codeDefaults, isRolledOut),
    modeByFile(after.text, config.codeDefaults, isRolledOut),
  ]
  const counts = await countSides(journal.executedFor({ from, to }), now, then)
  const withoutUser = texts.some(asksForUser)
  const effect = { from: instant(from), to: instant(to), ...counts, withoutUser }
  return { ...effect, sentence: sentence(effect, language) }
}

async function countSides(
  pages: AsyncIterable<readonly ExecutedFor[]>,
  now: (caller: Caller) => ExecutionMode,
  then: (caller: Caller) => ExecutionMode,
): Promise<Counts> {
  const seen = new Set<string>()
  const counts = { toRuntime: 0, toDirect: 0, unknown: 0 }
  for await (const page of pages)
    for (const { sessionId, orgId, agentId } of page) {
      if (sessionId === undefined) counts.unknown += 1
      if (sessionId === undefined || seen.has(sessionId)) continue
      if (seen.size % SESSIONS_AT_ONCE === 0) await breath()
      if (seen.size >= MAX_SESSIONS) return { ...counts, sessions: seen.size, more: true }
      seen.add(sessionId)
      const caller = { sessionId, orgId, agentId, userId: '' }
      const mode = then(caller)
      if (mode === now(caller)) continue
      counts[mode === 'runtime_orchestrator' ? 'toRuntime' : 'toDirect'] += 1
    }
  return { ...counts, sessions: seen.size, more: false }
}

/** Whether the mode may hang on the user: by its rule, or by one of the shared ones. */
function asksForUser(text: string): boolean {
  const root = parseJsonTree(text)
  if (isJsonFault(root)) return false
  const document = new OpsDocument(root)
  return JSON.stringify([document.part(FLAG_KEYS.mode, 'targeting'), document.at(['$evaluators'])]).includes(
    '"userId',
  )
}

function sentence(
  { sessions, toRuntime, toDirect, unknown, more, withoutUser }: Omit<FlagEditEffect, 'sentence'>,
  language: Language,
): string {
  if (language === 'zh-CN')
    return [
      `最近 24 小时的 ${sessions} 个会话中，${toRuntime} 个将转到 Runtime，${toDirect} 个将转到 direct 模式`,
      ...(more ? ['会话数超过统计上限，其余会话未统计'] : []),
      ...(unknown > 0 ? [`另有 ${unknown} 次执行未记录会话，未计入`] : []),
      ...(withoutUser ? ['规则涉及用户，而用户未被记录，结果仅供参考'] : []),
    ].join('；')
  return [
    `Of ${counted(sessions, 'session')} of the last 24 hours ${toRuntime} would go to the runtime and ${toDirect} to the direct LLM`,
    ...(more ? [`there are more, which were not looked at`] : []),
    ...(unknown > 0
      ? [
          unknown === 1
            ? '1 execution is left out, because its session is not known'
            : `${unknown} executions are left out, because their sessions are not known`,
        ]
      : []),
    ...(withoutUser ? ['a rule asks for the user, who is not kept, so this is an estimate'] : []),
  ].join('; ')
}
