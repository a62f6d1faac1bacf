import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { openPostgres, type PostgresDatabase } from '../../src/core/postgres/postgres.js'
import { openKeptTexts } from '../../src/core/sqlite/kept-texts.js'
import { openSqliteKeys } from '../../src/idempotency/sqlite-keys.js'
import { openPostgresJournal } from '../../src/journal/postgres/postgres-journal.js'
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.js'
import { openUsage } from '../../src/limits/open-usage.js'
import { MOVE_SCHEMA, type MoveOptions, move, TargetNotEmpty } from '../../src/migrate/move.js'
import { openFile, POSTGRES_SCHEMAS } from '../../src/migrate/schemas.js'
import { MOVED_TABLES } from '../../src/migrate/tables.js'
import { openPostgresSessionStore } from '../../src/sessions/postgres/postgres-session-store.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { sampleComparison, sampleDrop, sampleExecution } from '../support/comparisons.js'
import { postgresDatabases } from '../support/postgres.js'
import { rejection } from '../support/rejection.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const OWNER = { orgId: 'acme', userId: 'ada' }
const options = { clock: systemClock, logger: silentLogger }

describe('a SQLite file that is moved to PostgreSQL', () => {
  const databases = postgresDatabases()
  const directory = temporaryDirectory()
  const path = () => directory.path('chat.db')
  let url: string

  /** With what the service writes in each table. */
  async function writeFile(): Promise<void> {
    const sessions = openSqliteSessionStore(path(), { ...options, replica: 'a' })
    for (let n = 0; n < 250; n += 1) {
      const sessionId = `s-${n}`
      const message = `Frage ${n}: 你好 🦊 "\\"`
      await sessions.create({ sessionId, messageId: `m-${n}`, owner: OWNER, message }, 'agent')
      const end = {
        status: 'answered',
        text: `a\n${n}`,
        executionMode: 'direct_llm',
        trace: '{"a":[1]}',
      } as const
      await sessions.finish(`m-${n}`, end, true)
    }
    await sessions.close()
    const keys = openSqliteKeys(path(), { ...options, nonce: 'n' })
    await keys.reserve(OWNER, 'key', { bodyHash: 'b', sessionId: 's-1', messageId: 'm-1' })
    await keys.close()
    const texts = openKeptTexts(path(), options)
    texts.keep('flags', '{}')
    await texts.close()
    const usage = openUsage(path(), 'n', options)
    for (const org of ['acme', 'Ä', 'globex']) usage.add(org, 70)
    await usage.close()
    const journal = openSqliteJournal(path(), options)
    const at = Date.now()
    const transition = {
      at,
      from: 'normal',
      to: 'fallback',
      manualFrom: 'none',
      manualTo: 'none',
      actor: 'auto',
      replica: 'a',
      trips: 1,
      revision: 1,
      value: 0.5,
      evidence: { a: [1] },
    } as const
    journal.keepTransition(transition)
    journal.notifications.keep(transition)
    journal.keepSample({ at, replica: 'a', run: 'r', seq: 0, input: { kind: 'tick', 甲: 1 } })
    for (let n = 0; n < 450; n += 1) {
      journal.keepExecution(sampleExecution({ at: at - n * 10_000_000, sessionId: `s-${n}`, agentId: 'x' }))
      journal.keepComparison(sampleComparison({ at: at - n, content: { control: 'a', candidate: 'b' } }))
    }
    journal.keepDrop(sampleDrop({ at }))
    const sha = 'a'.repeat(64)
    const changes = [{ path: 'mode', from: 'a', to: 'b' }]
    journal.keepFlagEdit({ at, replica: 'a', ...OWNER, changes, fromContent: sha, toContent: sha })
    await journal.close()
  }

  async function opened<T>(work: (given: MoveOptions) => Promise<T>): Promise<T> {
    const file = openFile(path())
    const postgres = openPostgres(url, { clock: systemClock })
    const rooms: PostgresDatabase[] = [...POSTGRES_SCHEMAS, MOVE_SCHEMA].map((schema) =>
      postgres.open(schema),
    )
    await postgres.check()
    const [database] = rooms.slice(-1)
    if (database === undefined) throw new Error('no tables')
    try {
      return await work({
        source: path(),
        file,
        database,
        wall: () => Date.now(),
        signal: new AbortController().signal,
      })
    } finally {
      file.close()
      for (const room of rooms) await room.close()
    }
  }

  beforeEach(async () => {
    url = await databases.schema()
    await writeFile()
  })

  it('is there as a whole, and the service goes on with it', async () => {
    const reports = await opened(move)
    expect(reports.filter(({ same }) => !same)).to.deep.equal([])
    const rows = Object.fromEntries(reports.map(({ table, rows }) => [table, rows]))
    expect(rows).to.include({ sessions: 250, turns: 250, executions: 450, comparisons: 450, contents: 450 })
    expect(rows).to.include({
      org_tokens: 3,
      idempotency_keys: 1,
      kept_texts: 1,
      samples: 1,
      drops: 1,
      edits: 1,
    })
    expect(rows).to.include({ transitions: 1, notifications: 1, rollout_changes: 0 })
    expect(Object.keys(rows)).to.deep.equal(MOVED_TABLES.map(({ name }) => name))
    const postgres = openPostgres(url, { clock: systemClock })
    const sessions = openPostgresSessionStore(postgres, { ...options, replica: 'b' })
    const next = { sessionId: 's-7', messageId: 'm-next', owner: OWNER, message: 'more' }
    expect(await sessions.begin(next)).to.deep.include({
      kind: 'begun',
      history: [{ message: 'Frage 7: 你好 🦊 "\\"', text: 'a\n7' }],
    })
    const journal = openPostgresJournal(postgres, options)
    journal.keepTransition({ ...(await journal.transitions(1))[0], revision: 2 } as never)
    expect((await journal.transitions(5)).map(({ revision }) => revision)).to.deep.equal([2, 1])
    const usage = openUsage(postgres, 'b', options)
    expect(await usage.used('acme')).to.equal(70)
    await Promise.all([sessions.close(), journal.close(), usage.close()])
  })

  it('is moved on where the move was ended', async () => {
    const ended = new AbortController()
    const seen: string[] = []
    const first = opened((given) =>
      move({
        ...given,
        signal: ended.signal,
        onProgress(table, moved) {
          seen.push(`${table} ${moved}`)
          if (table === 'turns' && moved === 200) ended.abort()
        },
      }),
    )
    expect(await rejection(first)).to.have.property('name', 'AbortError')
    const again: string[] = []
    const reports = await opened((given) =>
      move({ ...given, onProgress: (table, moved) => again.push(`${table} ${moved}`) }),
    )
    expect(again).to.include('turns 200')
    expect(again).to.not.include('turns 0')
    expect(reports.every(({ same }) => same)).to.equal(true)
  })

  it('is not the same where a row was changed or is missing', async () => {
    await opened(move)
    await databases.query(url, "UPDATE turns SET text = 'b' WHERE message_id = 'm-3'")
    await databases.query(url, 'DELETE FROM samples')
    const reports = await opened(move)
    expect(reports.filter(({ same }) => !same).map(({ table }) => table)).to.deep.equal(['turns', 'samples'])
  })

  it('is refused by a database that has others', async () => {
    await opened(async () => undefined)
    await databases.query(url, "INSERT INTO kept_texts VALUES ('a', 'b', 1)")
    expect(await rejection(opened(move))).to.be.instanceOf(TargetNotEmpty)
  })
})
