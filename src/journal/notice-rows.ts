import { parsedJson } from '../core/json/parsed-json.js'
import { flagEditRecordSchema, isFlagEdit } from '../protocol/flag-edit-record.js'
import { isRolloutChange, rolloutChangeRecordSchema } from '../protocol/rollout.js'
import { editEntry, rolloutEntry, transitionEntry } from './entries.js'
import type { KeptTransition, Notice } from './journal.js'
import { rowTransition, transitionValues } from './journal-rows.js'

/** A transition as a list of the values of its row, an edit and a change of the rollout as objects. */
export function noticeValues(notice: Notice): string | undefined {
  if (isRolloutChange(notice)) return rolloutEntry(notice)?.record
  if (!isFlagEdit(notice)) return JSON.stringify(transitionValues(transitionEntry(notice)))
  const entry = editEntry(notice)
  return entry && JSON.stringify({ ...entry, changes: parsedJson(entry.changes) })
}

/** Undefined for what this version does not understand. */
export function noticeOf(values: unknown): Notice | undefined {
  const parsed = typeof values === 'string' ? parsedJson(values) : undefined
  if (!Array.isArray(parsed))
    return flagEditRecordSchema.safeParse(parsed).data ?? rolloutChangeRecordSchema.safeParse(parsed).data
  const kept: KeptTransition | undefined = rowTransition([0, ...parsed])
  if (kept === undefined) return undefined
  const { id: _, ...transition } = kept
  return transition
}
