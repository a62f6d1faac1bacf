import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { OverrideSights } from '../override-watch.js'

const LOOK_MS = 20
const CALL_MS = 1000
/** ms until the next try of a server that is away */
const AWAY_MS = 100
const READ = "SELECT content FROM flag_documents WHERE name = 'override'"

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
