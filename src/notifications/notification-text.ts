import { isTripKind } from '../protocol/fallback.js'
import { transitionKind, transitionReason } from '../protocol/transition-text.js'
import type { TransitionRecord } from '../protocol/transition-view.js'
import { oneLine } from './one-line.js'

type Language = 'zh-CN' | 'en'

/**
 * One line that says what happened, who did it and what follows:
 * `[chat-cutover] 自动回退到 direct 模式: 错误率过高: 55.00% (阈值: 50.00%)；副本 a；第 1 次；保持至 2026-01-01T00:00:30Z；版本 7`.
 */
export function notificationText(transition: TransitionRecord, language: Language): string {
  const parts = [event(transition, language), ...details(transition, language)]
  return `[chat-cutover] ${parts.join(language === 'zh-CN' ? '；' : '; ')}`
}

function event(transition: TransitionRecord, language: Language): string {
  const zh = language === 'zh-CN'
  const { reason, ...rest } = transition
  const words = oneLine(transitionReason(transition, language))
  switch (transitionKind(transition)) {
    case 'trip':
      return zh ? `自动回退到 direct 模式: ${words}` : `Automatic fallback to direct mode: ${words}`
    case 'relapse':
      return zh
        ? `恢复失败，再次自动回退到 direct 模式: ${words}`
        : `Recovery failed, automatic fallback to direct mode again: ${words}`
    case 'triggered':
    case 'reset':
    case 'hand_edit': {
      const what = transitionReason(rest, language)
      return what === words ? what : `${what}: ${words}`
    }
    case 'widened':
    case 'recovery_begun':
    case 'ramp_step':
    case 'recovered':
    case 'manual_expired':
    case 'policy_off':
    case 'hand_edit_refused':
    case 'adopted':
      return words
  }
}

function details(transition: TransitionRecord, language: Language): string[] {
  const zh = language === 'zh-CN'
  const { replica, userId, trips, holdUntil, revision } = transition
  const kind = transitionKind(transition)
  const tripped = isTripKind(kind)
  return [
    ...(userId === undefined ? [] : [oneLine(zh ? `操作人 ${userId}` : `user ${userId}`)]),
    oneLine(zh ? `副本 ${replica}` : `replica ${replica}`),
    ...(tripped ? [zh ? `第 ${trips} 次` : `trip ${trips}`] : []),
    ...(tripped && holdUntil !== undefined
      ? [`${zh ? '保持至' : 'on hold until'} ${instant(holdUntil)}`]
      : []),
    zh ? `版本 ${revision}` : `revision ${revision}`,
  ]
}

/** ISO 8601 UTC to the second. */
function instant(ms: number): string {
  return Number.isNaN(new Date(ms).getTime()) ? '?' : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
