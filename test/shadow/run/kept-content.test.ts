import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import Database from 'libsql'
import { silentLogger } from '../../../src/core/logger.js'
import type { Comparison, ComparisonQuery } from '../../../src/journal/comparison.js'
import type { Journal } from '../../../src/journal/journal.js'
import { createMemoryJournal } from '../../../src/journal/memory/memory-journal.js'
import { retentionFor, retentionInMemory } from '../../../src/journal/retention.js'
import { openSqliteJournal } from '../../../src/journal/sqlite/sqlite-journal.js'
import { type ShadowReport, shadowReportSchema } from '../../../src/protocol/shadow-report.js'
import { shadowReport } from '../../../src/shadow/report/report.js'
import { sampleComparison } from '../../support/comparisons.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

const DAY_MS = 86_400_000
const DAYS = 2
const PAIRS = 45
/** between two rounds of pruning, and what a round of this test takes */
const ROUND_MS = 70_000

describe('kept answers', () => {
  const directory = temporaryDirectory()
  let clock: ManualClock
  let journal: Journal
  beforeEach(() => {
    clock = manualClock()
  })
  afterEach(() => journal.close())

  const said = (side: string, at: number): string => `${side} ${at} said ${'so much '.repeat(400)}`
  const comparison = (at: number, more: Partial<Comparison> = {}): Comparison =>
    sampleComparison({
      at: clock.wall(),
      content: { control: said('control', at), candidate: said('candidate', at) },
      ...more,
    })
  const keep = (): void => {
    for (let at = 0; at < PAIRS; at += 1) journal.keepComparison(comparison(at))
  }

  async function report(): Promise<ShadowReport> {
    const span = { from: 0, to: clock.wall() + 1 }
    const query: ComparisonQuery = { ...span, controlMode: 'direct_llm' }
    const subject = {
      ...span,
      control: 'direct_llm',
      dropped: { reasons: {}, kinds: { ab: 0, aa: 0 } },
    } as const
    const contents = await journal.comparisonContents(query, 20)
    return shadowReportSchema.parse(
      shadowReport(await journal.comparisonSums(query), { ...subject, contents }),
    )
  }

  const twins: [string, () => Journal][] = [
    [
      'in a file',
      () =>
        openSqliteJournal(directory.path('chat.db'), {
          clock,
          logger: silentLogger,
          retention: retentionFor(DAYS),
        }),
    ],
    ['in memory', () => createMemoryJournal({ clock, retention: retentionInMemory(DAYS) })],
  ]
  for (const [where, open] of twins)
    it(`go from the report when their days are over, and leave its numbers (${where})`, async () => {
      journal = open()
      keep()
      expect((await report()).samples).to.have.length(20)
      clock.advance(DAYS * DAY_MS - ROUND_MS)
      expect((await report()).samples).to.have.length(20)
      journal.keepComparison(comparison(PAIRS))
      await report()
      clock.advance(2 * ROUND_MS)
      const { samples = [], pairs } = await report()
      expect(pairs).to.deep.equal({ ab: PAIRS + 1, aa: 0 })
      expect(samples.map(({ control }) => control)).to.deep.equal([said('control', PAIRS)])
    })

  it('are shown to nobody when their days went by while nobody ran', async () => {
    const [path, retention] = [directory.path('chat.db'), retentionFor(DAYS)]
    const open = (): Journal => openSqliteJournal(path, { clock, logger: silentLogger, retention })
    journal = open()
    keep()
    expect((await report()).samples).to.have.length(20)
    await journal.close()
    clock.advance(DAYS * DAY_MS + 1)
    journal = open()
    expect(await report()).to.deep.include({ samples: [], pairs: { ab: PAIRS, aa: 0 } })
  })

  it('go from the file itself', async () => {
    const path = directory.path('chat.db')
    const rows = (table: string): unknown => {
      const other = new Database(path)
      const [count] = [other.prepare(`SELECT count(*) FROM ${table}`).raw().get([])].flat()
      other.close()
      return count
    }
    const retention = retentionFor(DAYS)
    journal = openSqliteJournal(path, { clock, logger: silentLogger, retention })
    keep()
    await report()
    expect([rows('contents'), rows('comparisons')]).to.deep.equal([PAIRS, PAIRS])
    clock.advance(DAYS * DAY_MS)
    // Ages count only while entries come: without one, a clock that jumped would look the same.
    journal.keepComparison(sampleComparison({ at: clock.wall() }))
    await report()
    clock.advance(ROUND_MS)
    expect([rows('contents'), rows('comparisons')]).to.deep.equal([0, PAIRS + 1])
    await journal.close()
    const files = readdirSync(directory.path()).map((name) => readFileSync(directory.path(name)))
    expect(Buffer.concat(files).includes('so much so much')).to.equal(false)
  })
})
