import { type FlagEditRecord, flagEditId, isFlagEdit } from './flag-edit-record.js'
import { isRolloutChange, type RolloutChangeRecord, rolloutChangeId } from './rollout.js'

/** By this a notification that comes twice is known. */
export function noticeId(
  notice: Parameters<typeof transitionId>[0] | FlagEditRecord | RolloutChangeRecord,
): string {
  if (isFlagEdit(notice)) return flagEditId(notice)
  return isRolloutChange(notice) ? rolloutChangeId(notice) : transitionId(notice)
}

/**
 * One change of the override, the same from each replica at any time: replica, revision, instant (wall ms) and kind. By this a
 * notification that comes twice is known.
 */
const transitionId = (transition: {
  readonly replica: string
  readonly revision: number
  readonly at: number
  readonly kind?: string
}): string => {
  const { replica, revision, at, kind } = transition
  return [replica, revision, at, kind ?? ''].join('/')
}
