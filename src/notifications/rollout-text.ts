import type { RolloutChangeRecord } from '../protocol/rollout.js'
import { rolloutChangeReason } from '../protocol/rollout-text.js'
import { oneLine } from './one-line.js'

/** One line: `[chat-cutover] Rollout raised from 5% to 25%: the stage was healthy; replica a; revision 7`. */
export function rolloutText(change: RolloutChangeRecord, language: 'zh-CN' | 'en'): string {
  const zh = language === 'zh-CN'
  const { userId, replica, revision } = change
  const parts = [
    oneLine(rolloutChangeReason(change, language)),
    ...(userId === null ? [] : [oneLine(zh ? `操作人 ${userId}` : `user ${userId}`)]),
    oneLine(zh ? `副本 ${replica}` : `replica ${replica}`),
    zh ? `版本 ${revision}` : `revision ${revision}`,
  ]
  return `[chat-cutover] ${parts.join(zh ? '；' : '; ')}`
}
