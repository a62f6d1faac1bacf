import type { QueuedEntry } from '../database/queued-entries.js'
import type { JournalStatements } from './journal-statements.js'
import type { NotificationOutbox } from './notification-outbox.js'

/** Within a transaction of the caller. */
export function writeEntry(
  { kind, entry }: QueuedEntry,
  statements: JournalStatements,
  outbox: NotificationOutbox,
): void {
  switch (kind) {
    case 'transition':
      statements.insertTransition(entry)
      return
    case 'sample':
      statements.insertSample(entry)
      return
    case 'comparison':
      statements.insertComparison(entry)
      return
    case 'execution':
      statements.insertExecution(entry)
      return
    case 'drops':
      statements.insertDrops(entry)
      return
    case 'edit':
      statements.insertEdit(entry)
      return
    case 'rollout':
      statements.insertRolloutChange(entry)
      return
    case 'notification':
      outbox.keep(entry.id, entry.notice)
      return
    case 'acknowledged':
      outbox.delete(entry.id)
      return
  }
}
