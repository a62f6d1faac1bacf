import { statSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { openSqlite } from '../../../src/core/sqlite/sqlite.js'
import { type Journal, JournalUnavailable } from '../../../src/journal/journal.js'
import { TABLES } from '../../../src/journal/sqlite/journal-statements.js'
import { JOURNAL_SCHEMA } from '../../../src/journal/sqlite/schema.js'
import { openSqliteJournal } from '../../../src/journal/sqlite/sqlite-journal.js'
import { openSqliteSessionStore } from '../../../src/sessions/sqlite/sqlite-session-store.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { sampleComparison, sampleDrop, sampleExecution } from '../../support/comparisons.js'
import { forked, killForked } from '../../support/forked.js'
import { type LockHolder, lockHolder } from '../../support/lock-holder.js'
import { manualClock } from '../../support/manual-clock.js'
import { rejection } from '../../support/rejection.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { SOON_MS, until } from '../../support/until.js'
import { sample, trip } from '../journal-contract.js'
import { RETENTION } from '../journal-rig.js'

const WAIT = '[Journal] the journal cannot be written; entries wait'
const AGAIN = '[Journal] the journal is written again'

describe('the SQLite journal', () => {
  const directory = temporaryDirectory()
  let journal: Journal | undefined
  let lines: Record<string, unknown>[]

  const open = (clock = systemClock): Journal => {
    const capturing = capturingLogger()
    lines = capturing.lines
    journal = openSqliteJournal(directory.path('chat.db'), { clock, logger: capturing.logger })
    return journal
  }
  const words = (): unknown[] => lines.map(({ msg }) => msg)
  const inFile = (table: 'transitions' | 'samples' | 'drops'): number => {
    const database = openSqlite(directory.path('chat.db'), JOURNAL_SCHEMA)
    const row = database.prepare(`SELECT count(*) FROM ${table}`).get()
    database.close()
    return Number(row?.[0])
  }
  afterEach(async () => {
    await journal?.close()
    journal = undefined
    await killForked()
  })

  it("empties the database's write-ahead log in a minute in which there is nothing to delete", async () => {
    const clock = manualClock()
    const kept = open(clock)
    const logBytes = () => statSync(directory.path('chat.db-wal')).size
    for (let at = 1; at <= 50; at += 1) kept.keepTransition(trip(at))
    expect(await kept.transitions(100)).to.have.length(50)
    clock.advance(59_000)
    expect(logBytes()).to.be.greaterThan(0)
    // The minute, and a pause for each table.
    for (let step = 0; step < 20; step += 1) clock.advance(100)
    expect(logBytes()).to.equal(0)
    expect(await kept.transitions(100)).to.have.length(50)
  })

  it('shares the file with the conversations and outlives a restart', async () => {
    const options = { clock: systemClock, replica: 'a', logger: silentLogger }
    const sessions = openSqliteSessionStore(directory.path('chat.db'), options)
    open().keepTransition(trip(1))
    await journal?.close()
    const restarted = open()
    restarted.keepTransition(trip(2))
    const kept = await restarted.transitions(10)
    expect(kept.map(({ id, revision }) => [id, revision])).to.deep.equal([
      [2, 2],
      [1, 1],
    ])
    await sessions.close()
  })

  it('writes by itself what it was told', async () => {
    const kept = open()
    kept.keepTransition(trip(1))
    kept.keepSample(sample(1))
    await until('the entries to be in the file', () => inFile('transitions') + inFile('samples') === 2)
  })

  it('deletes what is beyond its bounds in small steps', async () => {
    const clock = manualClock()
    const bound = { count: 100, maxAgeMs: 86_400_000 }
    const retention = { ...RETENTION, transitions: bound, samples: bound }
    const kept = openSqliteJournal(directory.path('chat.db'), { clock, logger: silentLogger, retention })
    journal = kept
    for (let seq = 0; seq < 900; seq += 1) kept.keepSample(sample(seq))
    clock.advance(100)
    clock.advance(59_919)
    const left = [inFile('samples')]
    clock.advance(1)
    for (let step = 0; step < 5; step += 1) {
      left.push(inFile('samples'))
      // a round: one step of each table
      clock.advance(TABLES.length * 20)
    }
    expect(left).to.deep.equal([900, 700, 500, 300, 100, 100])
    expect((await kept.samples('run-1')).map(({ seq }) => seq)[0]).to.equal(800)
  })

  it('adds up pages of comparisons and gives pages of executions, each entry once', async () => {
    const kept = open(manualClock())
    const at = (index: number): number => Date.UTC(2026, 0, 1) + Math.floor(index / 3) * 10
    for (let index = 0; index < 3_300; index += 1) {
      kept.keepComparison(sampleComparison({ at: at(index), orgId: `org-${index % 2}` }))
      kept.keepExecution(sampleExecution({ at: at(index), latencyMs: index }))
      // Only so many may wait at once.
      if (index % 400 === 0) await kept.transitions(1)
    }
    const span = { from: at(30), to: at(3_030) }
    const latencies: number[] = []
    for await (const page of kept.executions(span)) latencies.push(...page.map(({ latencyMs }) => latencyMs))
    expect(latencies).to.deep.equal(Array.from({ length: 3_000 }, (_, index) => 30 + index))
    const query = { ...span, controlMode: 'direct_llm' as const }
    const pairs = async (orgId?: string): Promise<number> =>
      (await kept.comparisonSums(orgId === undefined ? query : { ...query, orgId })).ab.pairs
    expect([await pairs(), await pairs('org-1'), await pairs('org-2')]).to.deep.equal([3_000, 1_500, 0])
    expect(kept.dropped).to.equal(0)
  })

  it('passes over facts that a newer version wrote, and refuses what is no JSON', async () => {
    const kept = open()
    for (let index = 0; index < 6; index += 1) {
      kept.keepComparison(sampleComparison({ orgId: `org-${index}` }))
      kept.keepExecution(sampleExecution({ orgId: `org-${index}` }))
    }
    const query = { from: 0, to: Date.UTC(2030), controlMode: 'direct_llm' as const }
    expect((await kept.comparisonSums(query)).ab.pairs).to.equal(6)
    const database = openSqlite(directory.path('chat.db'), JOURNAL_SCHEMA)
    for (const [index, facts] of ['[9]', '{}', '[0,0,null,null,null,null,"x"]', '1'].entries())
      for (const table of ['comparisons', 'executions'])
        database.exec(`UPDATE ${table} SET facts = '${facts}' WHERE org_id = 'org-${index}'`)
    expect(() => database.exec(`UPDATE comparisons SET facts = '[torn'`)).to.throw(/CHECK/)
    database.close()
    expect((await kept.comparisonSums(query)).ab.pairs).to.equal(2)
    const executions: unknown[] = []
    for await (const page of kept.executions(query)) executions.push(...page)
    expect(executions).to.have.length(2)
  })

  it('goes on with a file of the version before', async () => {
    const [first = ''] = JOURNAL_SCHEMA.migrations
    const before = openSqlite(directory.path('chat.db'), { room: 'journal', migrations: [first] })
    before.exec(
      `INSERT INTO transitions (at, from_state, to_state, manual_from, manual_to, actor, replica, trips, revision)
        VALUES (1, 'normal', 'fallback', 'none', 'none', 'auto', 'a', 1, 7)`,
    )
    before.close()
    const kept = open()
    kept.keepTransition(trip(7, { at: 1, adopted: true }))
    kept.keepComparison(sampleComparison())
    expect(await kept.transitions(10)).to.deep.equal([{ ...trip(7, { at: 1 }), id: 1 }])
  })

  it('goes on with a file of the version before dropped shadows', async () => {
    const [first = '', second = ''] = JOURNAL_SCHEMA.migrations
    const before = openSqlite(directory.path('chat.db'), { room: 'journal', migrations: [first, second] })
    before.exec("INSERT INTO executions (at, org_id, facts) VALUES (1, 'org-1', '[0,0,10,null]')")
    before.close()
    const kept = open()
    kept.keepDrop(sampleDrop())
    const query = { from: 0, to: Date.now(), controlMode: 'direct_llm' as const }
    expect((await kept.drops(query)).reasons).to.deep.equal({ busy: 1 })
    const executions: unknown[] = []
    for await (const page of kept.executions(query)) executions.push(...page)
    expect(executions).to.have.length(1)
  })

  it('loses only an entry that the file would not have', async () => {
    const kept = open()
    kept.keepTransition(trip(1))
    kept.keepTransition(trip(Number.NaN))
    kept.keepTransition(trip(3))
    expect((await kept.transitions(10)).map(({ revision }) => revision)).to.deep.equal([3, 1])
    expect(kept.dropped).to.equal(1)
    expect(words()).to.deep.equal(['[Journal] an entry cannot be kept'])
  })

  describe('of dropped shadows', () => {
    const AT = Date.UTC(2026, 0, 1)
    const ALL = { from: 0, to: AT * 2, controlMode: 'direct_llm' } as const

    it('writes those of a minute at its end, a row for each mode, org, agent and reason', async () => {
      const clock = manualClock(AT + 15_000)
      const kept = open(clock)
      for (let time = 0; time < 5; time += 1) {
        kept.keepDrop(sampleDrop({ at: clock.wall() }))
        kept.keepDrop(sampleDrop({ at: clock.wall(), orgId: 'org-2', reason: 'sick' }))
        clock.advance(5_000)
      }
      clock.advance(19_999)
      expect(inFile('drops')).to.equal(0)
      clock.advance(101)
      expect(inFile('drops')).to.equal(2)
      expect((await kept.drops(ALL)).reasons).to.deep.equal({ busy: 5, sick: 5 })
    })

    it('keeps one row of a minute however often somebody asks meanwhile', async () => {
      const kept = open(manualClock())
      for (let time = 1; time <= 5; time += 1) {
        kept.keepDrop(sampleDrop())
        for (let org = 0; org < 150; org += 1)
          kept.keepDrop(sampleDrop({ reason: 'sick', orgId: `org-${org}` }))
        expect((await kept.drops(ALL)).reasons).to.deep.equal({ busy: time, sick: 150 * time })
      }
      // 100 that are told apart, and one of the others
      expect(inFile('drops')).to.equal(101)
    })

    it('writes what is left at the end of the process, and counts those of all replicas', async () => {
      const one = open(manualClock())
      const other = openSqliteJournal(directory.path('chat.db'), {
        clock: manualClock(),
        logger: silentLogger,
      })
      one.keepDrop(sampleDrop())
      other.keepDrop(sampleDrop({ replica: 'replica-b' }))
      expect((await one.drops(ALL)).reasons).to.deep.equal({ busy: 1 })
      await other.close()
      expect((await one.drops(ALL)).reasons).to.deep.equal({ busy: 2 })
      expect(inFile('drops')).to.equal(2)
    })

    it('counts more than one page, and passes over nothing but what is asked for', async () => {
      const kept = open(manualClock())
      for (let round = 0; round < 30; round += 1) {
        for (let minute = 0; minute < 90; minute += 1)
          kept.keepDrop(sampleDrop({ at: AT + minute * 60_000, orgId: `org-${round}` }))
        await kept.drops(ALL)
      }
      expect((await kept.drops(ALL)).reasons).to.deep.equal({ busy: 2_700 })
    })
  })

  it('passes over rows that a newer version wrote', async () => {
    const kept = open()
    kept.keepTransition(trip(1, { kind: 'trip', evidence: { total: 1 } }))
    kept.keepTransition(trip(2))
    expect(await kept.transitions(10)).to.have.length(2)
    const database = openSqlite(directory.path('chat.db'), JOURNAL_SCHEMA)
    database.exec(`UPDATE transitions SET to_state = 'dreaming' WHERE revision = 2`)
    database.exec(`UPDATE transitions SET kind = 'dreamt', evidence = '{torn' WHERE revision = 1`)
    database.close()
    const [left, ...others] = await kept.transitions(10)
    expect(others).to.deep.equal([])
    expect(left).to.include({ id: 1, revision: 1 }).and.not.have.any.keys('kind', 'evidence')
  })

  describe('while another process holds the lock', () => {
    let holder: LockHolder

    beforeEach(async () => {
      holder = await lockHolder(directory.path('chat.db'))
    })

    it('holds up nobody, is read, and writes all of it afterwards', async () => {
      const kept = open()
      kept.keepTransition(trip(1))
      expect(await kept.transitions(10)).to.have.length(1)
      await holder.lock()
      const startedAt = performance.now()
      for (let seq = 0; seq < 400; seq += 1) kept.keepSample(sample(seq))
      kept.keepTransition(trip(2))
      expect(performance.now() - startedAt).to.be.lessThan(SOON_MS)
      expect(await kept.transitions(10)).to.have.length(1)
      await holder.unlock()
      await until('all to be in the file', () => inFile('samples') === 400 && inFile('transitions') === 2)
      expect(lines).to.deep.equal([])
      expect(kept.dropped).to.equal(0)
    }).timeout(20_000)

    it('tells a long one once, drops beyond its bound but no transition, and tells the end', async () => {
      const clock = manualClock()
      const kept = open(clock)
      await holder.lock()
      for (let entry = 0; entry < 300; entry += 1) {
        kept.keepComparison(sampleComparison())
        kept.keepExecution(sampleExecution())
      }
      for (let seq = 0; seq < 1_200; seq += 1) kept.keepSample(sample(seq))
      for (let revision = 1; revision <= 5; revision += 1) kept.keepTransition(trip(revision))
      clock.advance(3_000)
      expect(words()).to.deep.equal([WAIT])
      expect(kept.dropped).to.equal(805)
      await holder.unlock()
      clock.advance(1_000)
      clock.advance(1_000)
      expect(words()).to.deep.equal([WAIT, AGAIN])
      expect(lines[1]).to.include({ dropped: 805 })
      expect(await kept.transitions(10)).to.have.length(5)
      expect(await kept.samples('run-1')).to.have.length(995)
    }).timeout(20_000)

    // For how long it tries: test/journal/sqlite/write-behind.test.ts.
    it('ends although it cannot write, and says what it lost', async () => {
      const kept = open()
      await holder.lock()
      kept.keepTransition(trip(1))
      kept.keepSample(sample(1))
      await kept.close()
      expect(kept.dropped).to.equal(2)
      expect(lines.at(-1)).to.include({ dropped: 2 })
      await holder.unlock()
      expect(inFile('transitions')).to.equal(0)
    }).timeout(20_000)
  })

  it('sends no notification again whose acknowledgement still waits to be written', async () => {
    const clock = manualClock()
    const { notifications } = open(clock)
    const id = notifications.keep(trip(1))
    await journal?.transitions(1)
    const other = openSqlite(directory.path('chat.db'), JOURNAL_SCHEMA)
    other.exec('BEGIN IMMEDIATE')
    notifications.acknowledge(id)
    clock.advance(1_000)
    const claimed = notifications.claim()
    other.exec('COMMIT')
    other.close()
    expect(await claimed).to.deep.equal([])
  })

  it('says once that it cannot be read', async () => {
    const kept = open()
    const database = openSqlite(directory.path('chat.db'), JOURNAL_SCHEMA)
    database.exec('DROP TABLE transitions')
    database.close()
    for (let time = 0; time < 2; time += 1) {
      expect(await rejection(kept.transitions(10))).to.be.instanceOf(JournalUnavailable)
    }
    expect(words()).to.deep.equal(['[Journal] the journal cannot be read'])
  })

  it('goes on without keeping while the disk takes no more, and keeps what it had', async () => {
    // The log of the database outgrows 2 MiB long before the samples are through.
    const child = forked(
      'test/journal/sqlite/journal-process.ts',
      [directory.path('chat.db'), 'full', '0', 'fill'],
      'ulimit -f 4096',
    )
    const told: { lines: Record<string, unknown>[]; kept: number; dropped: number } = JSON.parse(
      await child.message(),
    )
    await child.kill()
    expect(told.lines[0]?.msg).to.equal(WAIT)
    expect(String(told.lines[0]?.code)).to.match(/^SQLITE_(FULL|IOERR)/)
    expect(told.kept).to.be.within(1, 2)
    expect(told.dropped).to.be.greaterThan(0)
    const kept = await open().transitions(10)
    expect(kept.at(-1)).to.include({ id: 1, replica: 'full' })
  }).timeout(30_000)

  it('is written by several replicas at once, ids rising, and one of them killed loses nothing it told', async () => {
    const each = 120
    const names = ['a', 'b']
    const replicas = names.map((name) =>
      forked('test/journal/sqlite/journal-process.ts', [directory.path('chat.db'), name, String(each)]),
    )
    for (const replica of replicas) expect(await replica.message()).to.equal('ready')
    for (const replica of replicas) {
      expect(await replica.message()).to.equal('kept')
      await replica.kill()
    }
    const kept = await open().transitions(10_000)
    expect(kept.map(({ id }) => id)).to.deep.equal(
      Array.from({ length: 2 * each }, (_, index) => 2 * each - index),
    )
    for (const name of names) {
      const own = kept.filter(({ replica }) => replica === name).map(({ revision }) => revision)
      expect(own).to.deep.equal(Array.from({ length: each }, (_, index) => each - index))
    }
  }).timeout(30_000)
})
