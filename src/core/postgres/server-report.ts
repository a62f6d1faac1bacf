import pg from 'pg'
import { type PostgresSchema, schemaVersion } from './migrations.js'
import { postgresAddress } from './postgres-url.js'
import { runnerOf } from './runner.js'

/** The tables of a room: the version there is (0: none), and the one this service knows. */
export interface RoomVersion {
  readonly room: string
  readonly version: number
  readonly known: number
}

export interface ServerReport {
  /** like `15.13` */
  readonly server: string
  readonly isReadOnly: boolean
  /** whether the time limits of a connection reach it: some poolers keep them to themselves */
  readonly hasTimeLimit: boolean
  readonly rooms: readonly RoomVersion[]
}

/** ms for the connection and for each question */
const LIMIT_MS = 5_000

/** What a server says of itself and of the tables; changes nothing. Rejects where it does not answer. */
export async function serverReport(given: string, schemas: readonly PostgresSchema[]): Promise<ServerReport> {
  const { url, tls } = postgresAddress(given)
  const client = new pg.Client({
    connectionString: url,
    ssl: tls ?? false,
    connectionTimeoutMillis: LIMIT_MS,
    query_timeout: LIMIT_MS,
    // As the service itself connects: a pooler may refuse these.
    statement_timeout: LIMIT_MS,
    lock_timeout: LIMIT_MS,
    idle_in_transaction_session_timeout: LIMIT_MS,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<string[]>({
      text: "SELECT current_setting('server_version'), current_setting('transaction_read_only'), current_setting('statement_timeout')",
      rowMode: 'array',
    })
    const [server = '', readOnly, timeLimit] = rows[0] ?? []
    const rooms: RoomVersion[] = []
    for (const { room, migrations } of schemas)
      rooms.push({ room, version: await schemaVersion(runnerOf(client), room), known: migrations.length })
    return { server, isReadOnly: readOnly === 'on', hasTimeLimit: timeLimit !== '0', rooms }
  } finally {
    await client.end()
  }
}
