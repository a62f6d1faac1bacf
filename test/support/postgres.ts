import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { engine } from './engines.js'
import { type PostgresServer, startPostgresServer } from './postgres-server.js'

let shared: Promise<PostgresServer> | undefined

/** One server for all suites of a run. */
async function sharedUrl(): Promise<string> {
  const given = process.env.CHAT_TEST_POSTGRES_URL
  if (given !== undefined && given !== '') return given
  shared ??= startPostgresServer()
  return (await shared).url()
}

/** Databases of one `describe`. */
export interface PostgresDatabases {
  /** A new empty database; gives its URL. */
  create(): Promise<string>
  /** A new empty schema of one database, which is the first in the search path of the URL. Faster than a database. */
  schema(): Promise<string>
  /** Rows of one statement, in a database or schema by its URL. */
  query(url: string, sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>
}

/**
 * PostgreSQL for one `describe`: a server of the test's own, or the one of CHAT_TEST_POSTGRES_URL (its user must be allowed to create
 * databases). What was created is dropped after the last test.
 */
export function postgresDatabases(): PostgresDatabases {
  const url = engine(sharedUrl)
  const names: string[] = []
  let home: string | undefined
  let schemas = 0

  async function create(): Promise<string> {
    const name = `chat_${randomBytes(6).toString('hex')}`
    await query(url(), `CREATE DATABASE ${name}`)
    names.push(name)
    const made = new URL(url())
    made.pathname = `/${name}`
    return made.href
  }

  after(async () => {
    for (const name of names) await query(url(), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  })

  return {
    create,
    async schema() {
      home ??= await create()
      schemas += 1
      const name = `s${schemas}`
      await query(home, `CREATE SCHEMA ${name}`)
      const made = new URL(home)
      made.searchParams.set('options', `-csearch_path=${name}`)
      return made.href
    },
    query,
  }
}

async function query(url: string, sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql, values)).rows
  } finally {
    await client.end()
  }
}
