import type { PgValue, Runner } from '../../core/postgres/statement.js'
import type { QueuedEntry } from '../database/queued-entries.js'
import type { ComparisonEntry, DropEntry, TransitionEntry } from '../entries.js'
import { contentValues, editValues, transitionValues } from '../journal-rows.js'
import { SQL } from './journal-sql.js'
import type { NotificationOutbox } from './notification-outbox.js'

type Queued<K extends QueuedEntry['kind']> = Extract<QueuedEntry, { readonly kind: K }>

/** Those of one kind, in their order. */
const of = <K extends QueuedEntry['kind']>(entries: readonly QueuedEntry[], kind: K): Queued<K>[] =>
  entries.filter((queued): queued is Queued<K> => queued.kind === kind)

/** Within a transaction of the caller. What comes in numbers goes as one statement. */
export async function writeEntries(
  runner: Runner,
  entries: readonly QueuedEntry[],
  outbox: NotificationOutbox,
): Promise<void> {
  const executions = of(entries, 'execution').map(({ entry }) => entry)
  if (executions.length > 0)
    await runner.change(SQL.insertExecutions, [
      executions.map(({ at }) => at),
      executions.map(({ orgId }) => orgId),
      executions.map(({ facts }) => JSON.stringify(facts)),
    ])
  const samples = of(entries, 'sample').map(({ entry }) => entry)
  if (samples.length > 0)
    await runner.change(SQL.insertSamples, [
      samples.map(({ at }) => at),
      samples.map(({ replica }) => replica),
      samples.map(({ run }) => run),
      samples.map(({ seq }) => seq),
      samples.map(({ input }) => input),
    ])
  await writeComparisons(
    runner,
    of(entries, 'comparison').map(({ entry }) => entry),
  )
  for (const { entry } of of(entries, 'drops')) await writeDrops(runner, entry)
  const transitions = of(entries, 'transition').map(({ entry }) => entry)
  if (transitions.length > 0) await runner.rows(SQL.lockTransitions, [])
  for (const transition of transitions) await writeTransition(runner, transition)
  for (const { entry } of of(entries, 'edit')) await runner.change(SQL.insertEdit, editValues(entry))
  for (const { entry } of of(entries, 'rollout'))
    await runner.change(SQL.insertRolloutChange, [entry.at, entry.record])
  for (const queued of entries) {
    if (queued.kind === 'notification') await outbox.keep(runner, queued.entry.id, queued.entry.notice)
    if (queued.kind === 'acknowledged') await outbox.delete(runner, queued.entry.id)
  }
}

async function writeComparisons(runner: Runner, comparisons: readonly ComparisonEntry[]): Promise<void> {
  if (comparisons.length === 0) return
  await runner.change(SQL.insertComparisons, [
    comparisons.map(({ at }) => at),
    comparisons.map(({ controlMode }) => controlMode),
    comparisons.map(({ orgId }) => orgId),
    comparisons.map(({ userId }) => userId ?? null),
    comparisons.map(({ agentId }) => agentId),
    comparisons.map(({ replica }) => replica),
    comparisons.map(({ facts }) => JSON.stringify(facts)),
  ])
  for (const { controlMode, userId, content } of comparisons)
    if (content !== undefined)
      await runner.change(SQL.insertContent, [controlMode, userId ?? null, ...contentValues(content)])
}

/** One's own takes the place of the same change as adopted, at its id. */
async function writeTransition(runner: Runner, entry: TransitionEntry): Promise<void> {
  const values: PgValue[] = transitionValues(entry)
  const change = [...values, entry.revision, entry.replica, entry.at]
  if (entry.adopted === true) await runner.change(SQL.insertAdopted, change)
  else if ((await runner.change(SQL.replaceAdopted, change)) === 0)
    await runner.change(SQL.insertTransition, values)
}

/** Added to what is kept of the same minute already. */
async function writeDrops(
  runner: Runner,
  { turns, controlMode, at, orgId, agentId, replica, reason, kind }: DropEntry,
): Promise<void> {
  const values = [turns, controlMode, at, orgId, agentId, replica, reason, kind ?? null]
  if ((await runner.change(SQL.addDrops, values)) === 0) await runner.change(SQL.insertDrops, values)
}
