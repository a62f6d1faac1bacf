import { type FlagEditRecord, flagEditId, isFlagEdit } from './flag-edit-record.js'
import { transitionId } from './transition-id.js'

/** By this a notification that comes twice is known. */
export const noticeId = (notice: Parameters<typeof transitionId>[0] | FlagEditRecord): string =>
  isFlagEdit(notice) ? flagEditId(notice) : transitionId(notice)
