import type { Postgres, PostgresDatabase } from '../../src/core/postgres/postgres.js'

/** A database that tells when no call is under way. */
export function countedPostgres(inner: Postgres): Postgres & { quiet(): Promise<void> } {
  let running = 0
  async function counted<T>(work: () => Promise<T>): Promise<T> {
    running += 1
    try {
      return await work()
    } finally {
      running -= 1
    }
  }
  return {
    check: () => inner.check(),
    open(schema) {
      const database = inner.open(schema)
      const all: PostgresDatabase = {
        rows: (query, values) => counted(() => database.rows(query, values)),
        change: (query, values) => counted(() => database.change(query, values)),
        script: (text) => counted(() => database.script(text)),
        transaction: (work, timeoutMs) => counted(() => database.transaction(work, timeoutMs)),
        close: () => database.close(),
      }
      return all
    },
    async quiet() {
      // What follows a call begins in the rounds after its end.
      for (let idle = 0; idle < 3; ) {
        await new Promise((resolve) => setImmediate(resolve))
        idle = running === 0 ? idle + 1 : 0
        if (running > 0) await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
  }
}
