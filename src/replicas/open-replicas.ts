import type { Clock } from '../core/clock.js'
import type { Postgres } from '../core/postgres/postgres.js'
import { createMemoryReplicas } from './memory-replicas.js'
import { openPostgresReplicas } from './postgres-replicas.js'
import type { ReplicaTable } from './replicas.js'
import { openSqliteReplicas } from './sqlite-replicas.js'

/** @param database path of the SQLite file, `:memory:`, or PostgreSQL. @throws SqliteOpenError */
export function openReplicas(database: string | Postgres, clock: Clock): ReplicaTable {
  if (typeof database !== 'string') return openPostgresReplicas(database)
  return database === ':memory:' ? createMemoryReplicas() : openSqliteReplicas(database, clock)
}
