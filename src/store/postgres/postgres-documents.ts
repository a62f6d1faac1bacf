import pg from 'pg'
import type { Clock } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import { MAX_FILE_BYTES } from '../../core/files/read-file.js'
import { postgresAddress, shownUrl } from '../../core/postgres/postgres-url.js'
import { hashOf, storedText } from '../content.js'
import type { Stored, WriteResult } from '../flag-store.js'
import type { DocumentName, DocumentWrite, SharedDocuments } from '../shared/documents.js'
import { postgresFault } from './postgres-fault.js'
import { PostgresListener } from './postgres-listener.js'
import { ensureSchema } from './postgres-schema.js'

/** ms: within the deadline of a call of the store */
const CONNECT_MS = 1_500
const STATEMENT_MS = 1_500
/** connections for calls; one more listens */
const CONNECTIONS = 2
const IDLE_MS = 30_000
const UNDEFINED_TABLE = '42P01'
/** copies of replaced documents that are kept */
const KEPT_ASIDE = 5

const READ = `SELECT CASE WHEN octet_length(content) <= $2 THEN content END AS content
  FROM flag_documents WHERE name = $1`
const INSERT = 'INSERT INTO flag_documents (name, content) VALUES ($1, $2) ON CONFLICT DO NOTHING'
/** By content, not by a revision: a hand edit does not count one up. */
const HAS_HASH = "name = $1 AND encode(sha256(convert_to(content, 'UTF8')), 'hex') = $2"
const UPDATE = `UPDATE flag_documents SET content = $3 WHERE ${HAS_HASH}`
const LOCK = `SELECT content FROM flag_documents WHERE ${HAS_HASH} FOR UPDATE`
const KEEP = `INSERT INTO flag_documents_aside (name, kept_as, content) VALUES ($1, $2, $3)
  ON CONFLICT DO NOTHING`
const PRUNE = `DELETE FROM flag_documents_aside WHERE name = $1 AND kept_as NOT IN (
  SELECT kept_as FROM flag_documents_aside WHERE name = $1 ORDER BY kept_at DESC LIMIT ${KEPT_ASIDE})`

export interface PostgresDocumentsOptions {
  /** may carry a password */
  readonly url: string
  readonly clock: Clock
}

/**
 * A row a document in `flag_documents`: compare-and-set in one statement, told by NOTIFY in the same transaction.
 *
 * @throws Error in words for the operator where the URL is none
 */
export function createPostgresDocuments(options: PostgresDocumentsOptions): SharedDocuments {
  return new PostgresDocuments(options)
}

class PostgresDocuments implements SharedDocuments {
  readonly #pool: pg.Pool
  readonly #listener: PostgresListener
  readonly #watches = new Set<{ readonly name: DocumentName; readonly onChange: () => void }>()
  readonly #where: string
  #schema: Promise<void> | undefined

  constructor(private readonly options: PostgresDocumentsOptions) {
    const { url, clock } = options
    const address = postgresAddress(url)
    this.#where = shownUrl(url)
    const connection = {
      connectionString: address.url,
      ssl: address.tls ?? false,
      application_name: 'chat-cutover flags',
      connectionTimeoutMillis: CONNECT_MS,
    }
    this.#pool = new pg.Pool({
      ...connection,
      max: CONNECTIONS,
      idleTimeoutMillis: IDLE_MS,
      query_timeout: STATEMENT_MS,
      statement_timeout: STATEMENT_MS,
      idle_in_transaction_session_timeout: STATEMENT_MS,
      keepAlive: true,
      allowExitOnIdle: true,
    })
    // An idle connection that breaks has left the pool already.
    this.#pool.on('error', () => undefined)
    // One that breaks in use: its statement rejects. An error that nobody hears would end the process.
    this.#pool.on('connect', (client) => void client.on('error', () => undefined))
    this.#listener = new PostgresListener({ connection, clock, onChange: (name) => this.#tell(name) })
  }

  nameOf(name: DocumentName): string {
    return `${this.#where}/flag_documents/${name}`
  }

  async read(name: DocumentName): Promise<Stored> {
    const content = await this.#content(name)
    if (content === null) throw Object.assign(new Error('too large'), { code: 'EFBIG' })
    return storedText(content)
  }

  /** A read makes no tables: where there are none, there is no document. */
  async #content(name: DocumentName): Promise<string | null | undefined> {
    try {
      const { rows } = await this.#pool.query<{ content: string | null }>(READ, [name, MAX_FILE_BYTES])
      return rows[0]?.content
    } catch (thrown) {
      if (errorCode(thrown) === UNDEFINED_TABLE) return undefined
      throw thrown
    }
  }

  async write(name: DocumentName, write: DocumentWrite): Promise<WriteResult> {
    await this.#ready()
    const { text, expected } = write
    const hash = hashOf(text)
    if (expected === 'missing') {
      const { rowCount } = await this.#pool.query(INSERT, [name, text])
      return rowCount === 1 ? { kind: 'written', hash } : this.#conflict(name)
    }
    if (write.keepAside) {
      const aside = await this.#replaceKeeping(name, text, expected)
      return aside === undefined ? this.#conflict(name) : { kind: 'written', hash, aside }
    }
    const { rowCount } = await this.#pool.query(UPDATE, [name, expected, text])
    return rowCount === 1 ? { kind: 'written', hash } : this.#conflict(name)
  }

  faultOf(...[thrown, action, name]: Parameters<SharedDocuments['faultOf']>) {
    return postgresFault(thrown, action, this.nameOf(name))
  }

  watch(name: DocumentName, onChange: () => void): () => void {
    const watch = { name, onChange }
    this.#watches.add(watch)
    this.#listener.start()
    return () => this.#watches.delete(watch)
  }

  async close(): Promise<void> {
    this.#watches.clear()
    await Promise.all([this.#listener.close(), this.#pool.end()])
  }

  async #conflict(name: DocumentName): Promise<WriteResult> {
    const stored = await this.read(name)
    return stored.kind === 'failed' ? stored : { kind: 'conflict', stored }
  }

  /** The copy's name; undefined where something else is there. */
  async #replaceKeeping(name: DocumentName, text: string, expected: string): Promise<string | undefined> {
    const client = await this.#pool.connect()
    try {
      await client.query('BEGIN')
      const { rows } = await client.query<{ content: string }>(LOCK, [name, expected])
      const [present] = rows
      const aside = `${name}.unreadable-${stamp(this.options.clock.wall())}`
      if (present !== undefined) {
        await client.query(KEEP, [name, aside, present.content])
        await client.query(PRUNE, [name])
        await client.query(UPDATE, [name, expected, text])
      }
      await client.query('COMMIT')
      client.release()
      return present === undefined ? undefined : aside
    } catch (thrown) {
      client.release(true)
      throw thrown
    }
  }

  /** Once; after a failure the next call tries again. */
  async #ready(): Promise<void> {
    this.#schema ??= ensureSchema(this.#pool).catch((thrown: unknown) => {
      this.#schema = undefined
      throw thrown
    })
    await this.#schema
  }

  #tell(name: string | undefined): void {
    for (const watch of this.#watches) if (name === undefined || watch.name === name) watch.onChange()
  }
}

const stamp = (wall: number): string => new Date(wall).toISOString().replaceAll(/[-:.]/g, '')
