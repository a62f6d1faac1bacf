import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { OverrideSights } from '../override-watch.js'

const LOOK_MS = 20
const CALL_MS = 1000
/** ms until the next try of a server that is away */
const AWAY_MS = 100
const READ = "SELECT content FROM flag_documents WHERE name = 'override'"

const COUNT = 'SELECT message, count(*) AS times FROM turns WHERE message = ANY($1) GROUP BY message'

/** Looks at the override in PostgreSQL all the time, by a connection that no drill cuts. A server that is away has nothing to see. */
export class StoreWatch extends OverrideSights {
  #client: pg.Client | undefined
  #running: Promise<void> | undefined
  #isStopped = false

  constructor(private readonly url: string) {
    super()
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
    this.#drop()
  }

  /** How often each of these messages is in the conversations. Rejects where the server does not answer. */
  async timesKept(messages: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const client = await connected(this.url)
    try {
      const { rows } = await client.query(COUNT, [messages])
      return new Map(rows.map(({ message, times }) => [String(message), Number(times)]))
    } finally {
      await client.end()
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped)
      try {
        await this.#look()
        await sleep(LOOK_MS)
      } catch {
        this.#drop()
        await sleep(AWAY_MS)
      }
  }

  async #look(): Promise<void> {
    this.#client ??= await connected(this.url)
    const content: unknown = (await this.#client.query(READ)).rows[0]?.content
    if (typeof content === 'string') this.see(content)
  }

  #drop(): void {
    const client = this.#client
    this.#client = undefined
    // A server that hangs answers no goodbye either.
    client?.end().catch(() => {})
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CALL_MS,
    query_timeout: CALL_MS,
  })
  client.on('error', () => {})
  await client.connect()
  return client
}
