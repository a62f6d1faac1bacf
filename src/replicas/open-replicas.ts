import type { Clock } from '../core/clock.js'
import { createMemoryReplicas } from './memory-replicas.js'
import type { ReplicaTable } from './replicas.js'
import { openSqliteReplicas } from './sqlite-replicas.js'

/** @param database path of the SQLite file, or `:memory:`. @throws SqliteOpenError */
export function openReplicas(database: string, clock: Clock): ReplicaTable {
  return database === ':memory:' ? createMemoryReplicas() : openSqliteReplicas(database, clock)
}
