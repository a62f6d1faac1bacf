import type { FlagEditRecord } from '../../protocol/flag-edit-record.js'

type Listener = (edit: FlagEditRecord, flags: readonly string[]) => void

/** Edits of the operators' file that were made through this replica, for all who watch. */
export interface FlagEditFeed {
  /** @param flags keys that have another value by it */
  tell(edit: FlagEditRecord, flags: readonly string[]): void
  /** Returns how to stop it. */
  subscribe(listener: Listener): () => void
}

/** @param keep keeps the edit, and has it told outside; first of all. Must not throw */
export function createFlagEditFeed(keep: (edit: FlagEditRecord) => void): FlagEditFeed {
  const listeners = new Set<Listener>()
  return {
    tell(edit, flags) {
      keep(edit)
      for (const listener of listeners) listener(edit, flags)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
