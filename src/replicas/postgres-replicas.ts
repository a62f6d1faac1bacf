import type { PostgresSchema } from '../core/postgres/migrations.js'
import type { Postgres } from '../core/postgres/postgres.js'
import { statement } from '../core/postgres/statement.js'
import { type ReplicaTable, seenOf } from './replicas.js'

export const POSTGRES_REPLICAS_SCHEMA: PostgresSchema = {
  room: 'replicas',
  migrations: [
    `
    CREATE TABLE replicas (
      name text COLLATE "C" PRIMARY KEY,
      first_seen bigint NOT NULL,
      last_seen bigint NOT NULL,
      version text NOT NULL,
      state text NOT NULL
    ) WITH (fillfactor = 50);
    `,
  ],
}

/** All parts see the table as it was before, so that the own row is taken from its write. */
const EXCHANGE = statement(`
  WITH own AS (
    INSERT INTO replicas (name, first_seen, last_seen, version, state) VALUES ($1, $2, $2, $3, $4)
    ON CONFLICT (name) DO UPDATE SET
      last_seen = excluded.last_seen, version = excluded.version, state = excluded.state
    RETURNING name, first_seen, last_seen, version, state),
  forgotten AS (DELETE FROM replicas WHERE last_seen < $5 AND name <> $1)
  SELECT name, first_seen, last_seen, version, state FROM own
  UNION ALL
  SELECT name, first_seen, last_seen, version, state FROM replicas WHERE name <> $1 AND last_seen >= $5
  ORDER BY last_seen DESC, name LIMIT $6`)

export function openPostgresReplicas(postgres: Postgres): ReplicaTable {
  const database = postgres.open(POSTGRES_REPLICAS_SCHEMA)
  return {
    async exchange({ name, version, state }, now, forgetBefore, limit) {
      const rows = await database.rows(EXCHANGE, [name, now, version, state, forgetBefore, limit])
      return rows.flatMap((row) => seenOf(row) ?? [])
    },
    close: () => database.close(),
  }
}
