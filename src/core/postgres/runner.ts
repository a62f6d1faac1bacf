import type pg from 'pg'
import type { PgScalar, PgValue, Runner, Statement } from './statement.js'

/** Statements on one connection. @param timeoutMs after which an answer is given up; default: as the connection has it */
export function runnerOf(client: pg.ClientBase, timeoutMs?: number): Runner {
  const limit = timeoutMs === undefined ? {} : { query_timeout: timeoutMs }
  const run = (query: Statement, values: readonly PgValue[]) =>
    client.query<PgScalar[]>({ ...limit, ...query, values: [...values], rowMode: 'array' })
  return {
    rows: async (query, values) => (await run(query, values)).rows,
    change: async (query, values) => (await run(query, values)).rowCount ?? 0,
    async script(text) {
      await client.query({ ...limit, text })
    },
  }
}
