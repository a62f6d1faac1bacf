import { type FlagEditRecord, flagEditId, isFlagEdit } from './flag-edit-record.js'
import { isRolloutChange, type RolloutChangeRecord, rolloutChangeId } from './rollout.js'
import { transitionId } from './transition-id.js'

/** By this a notification that comes twice is known. */
export function noticeId(
  notice: Parameters<typeof transitionId>[0] | FlagEditRecord | RolloutChangeRecord,
): string {
  if (isFlagEdit(notice)) return flagEditId(notice)
  return isRolloutChange(notice) ? rolloutChangeId(notice) : transitionId(notice)
}
