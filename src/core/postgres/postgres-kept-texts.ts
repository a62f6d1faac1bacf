import type { Clock } from '../clock.js'
import type { Logger } from '../logger.js'
import type { KeptText, KeptTexts } from '../sqlite/kept-texts.js'
import type { PostgresSchema } from './migrations.js'
import type { Postgres, PostgresDatabase } from './postgres.js'
import { faultText } from './postgres-errors.js'
import { statement } from './statement.js'

export const POSTGRES_TEXTS_SCHEMA: PostgresSchema = {
  room: 'kept',
  migrations: ['CREATE TABLE kept_texts (name text PRIMARY KEY, text text NOT NULL, at bigint NOT NULL)'],
}

const READ = statement('SELECT text, at FROM kept_texts WHERE name = $1')
const KEEP = statement(
  'INSERT INTO kept_texts VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET text = excluded.text, at = excluded.at',
)

/** What was good last, for all replicas. */
export function openPostgresKeptTexts(
  postgres: Postgres,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): KeptTexts {
  return new PostgresKeptTexts(postgres.open(POSTGRES_TEXTS_SCHEMA), clock, logger)
}

class PostgresKeptTexts implements KeptTexts {
  /** writes under way, one after the other, so that the newest text stays */
  #writes: Promise<void> = Promise.resolve()
  /** the newest text of each name that waits for its turn */
  readonly #waiting = new Map<string, KeptText>()

  constructor(
    private readonly database: PostgresDatabase,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  async read(name: string): Promise<KeptText | undefined> {
    const [row] = await this.database.rows(READ, [name])
    return row === undefined ? undefined : { text: String(row[0]), at: Number(row[1]) }
  }

  keep(name: string, text: string): void {
    const isWaiting = this.#waiting.has(name)
    this.#waiting.set(name, { text, at: Math.round(this.clock.wall()) })
    if (!isWaiting) this.#writes = this.#writes.then(() => this.#write(name))
  }

  async close(): Promise<void> {
    await this.#writes
    await this.database.close()
  }

  /** Never rejects. */
  async #write(name: string): Promise<void> {
    const kept = this.#waiting.get(name)
    this.#waiting.delete(name)
    if (kept === undefined) return
    try {
      await this.database.change(KEEP, [name, kept.text, kept.at])
    } catch (thrown) {
      this.logger.warn({ name, error: faultText(thrown) }, 'what was good last could not be kept')
    }
  }
}
