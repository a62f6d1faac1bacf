import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import type { Journal } from '../../src/journal/journal.js'
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.js'
import { createNotifier, type Notifier } from '../../src/notifications/notifier.js'
import type { Receipt } from '../../src/notifications/receipt.js'
import { sampleEdit } from '../support/flag-edits.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { sampleTransition } from '../support/transitions.js'

const MINUTE_MS = 60_000

describe('notifications that are kept in the journal', () => {
  const directory = temporaryDirectory()
  let clock: ManualClock
  /** revision and transition id of each delivery tried, in order */
  let sent: { revision: number; transitionId: string; by: string }[]
  let answer: Partial<Receipt> | 'dead'
  let open: Life[]

  interface Life {
    readonly journal: Journal
    readonly notifier: Notifier
  }

  /** One start of one replica. */
  function start(replica: string, nonce: string): Life {
    const path = directory.path('chat.db')
    const journal = openSqliteJournal(path, { clock, logger: silentLogger, self: { replica, nonce } })
    const notifier = createNotifier({
      url: 'https://hooks.test/x',
      format: 'json',
      clock,
      logger: silentLogger,
      replica,
      random: () => 1,
      kept: journal.notifications,
      async send({ body }) {
        sent.push({ ...JSON.parse(body), by: nonce })
        if (answer === 'dead') throw Object.assign(new Error(), { code: 'ECONNREFUSED' })
        return { status: 200, body: '', ...answer }
      },
    })
    notifier.start()
    const life = { journal, notifier }
    open.push(life)
    return life
  }
  /** As a kill: what is written is written, and nothing more happens. */
  const kill = (life: Life): void => {
    open = open.filter((one) => one !== life)
  }
  const stop = async (life: Life): Promise<void> => {
    kill(life)
    const closed = life.notifier.close()
    await pass(1_000)
    await closed
    await life.journal.close()
  }
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(Math.min(left, 500))
      for (let turn = 0; turn < 8; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const revisions = (): number[] => sent.map(({ revision }) => revision)

  beforeEach(() => {
    clock = manualClock()
    sent = []
    answer = {}
    open = []
  })
  afterEach(async () => {
    answer = {}
    for (const life of open) await stop(life)
  })

  it('survive a restart, in order, and are told once', async () => {
    answer = 'dead'
    const first = start('a', 'one')
    for (const revision of [1, 2, 3]) first.notifier.notify(sampleTransition({ revision, at: revision }))
    await pass(2_000)
    await stop(first)
    answer = {}
    sent = []
    const second = start('b', 'two')
    await pass(1_000)
    expect(revisions()).to.deep.equal([1, 2, 3])
    await pass(10 * MINUTE_MS)
    await stop(second)
    start('c', 'three')
    await pass(10 * MINUTE_MS)
    expect(revisions()).to.deep.equal([1, 2, 3])
  })

  it("of edits of the operators' flags survive a restart too", async () => {
    answer = 'dead'
    const first = start('a', 'one')
    first.notifier.notify(sampleEdit())
    await pass(2_000)
    await stop(first)
    const [before] = sent
    answer = {}
    sent = []
    start('b', 'two')
    await pass(1_000)
    const { by: _, sender: __, ...told } = { sender: '', ...sent[0] }
    expect(before).to.deep.include(told)
    expect(told).to.deep.include({ kind: 'flags_edited', changes: sampleEdit().changes })
    await pass(10 * MINUTE_MS)
    expect(sent).to.have.length(1)
  })

  it('survive a kill: at once where the replica starts again, a few minutes later where another takes over', async () => {
    for (const [replica, dueMs] of [
      ['a', 1_000],
      ['b', 4 * MINUTE_MS],
    ] as const) {
      answer = 'dead'
      const life = start('a', `killed-before-${replica}`)
      life.notifier.notify(sampleTransition({ revision: 7, at: dueMs }))
      await pass(1_500)
      kill(life)
      clock = manualClock(clock.wall())
      answer = {}
      sent = []
      const next = start(replica, `next-${replica}`)
      await pass(dueMs === 1_000 ? 500 : 2 * MINUTE_MS)
      expect(sent.length).to.equal(dueMs === 1_000 ? 1 : 0)
      await pass(dueMs)
      expect(sent.map(({ by }) => by)).to.deep.equal([`next-${replica}`])
      await stop(next)
    }
  })

  it('are left to whoever lives and tries', async () => {
    answer = 'dead'
    const one = start('a', 'one')
    start('b', 'two')
    one.notifier.notify(sampleTransition({ revision: 1 }))
    await pass(20 * MINUTE_MS)
    expect(new Set(sent.map(({ by }) => by))).to.deep.equal(new Set(['one']))
    // Five attempts, then a rest of five minutes.
    expect(sent.length).to.be.within(15, 25)
    answer = {}
    await pass(6 * MINUTE_MS)
    const told = sent.length
    await pass(20 * MINUTE_MS)
    expect(sent.length).to.equal(told)
    expect([one.notifier.dropped, one.notifier.givenUp]).to.deep.equal([0, 0])
  })

  it('are not told twice where the same transition comes again, under one id', async () => {
    answer = 'dead'
    const { notifier } = start('a', 'one')
    for (let time = 0; time < 3; time += 1) notifier.notify(sampleTransition({ revision: 1 }))
    await pass(500)
    answer = {}
    await pass(10 * MINUTE_MS)
    expect(new Set(sent.map(({ transitionId }) => transitionId)).size).to.equal(1)
    expect(sent.length).to.equal(2)
  })

  it('that are refused are given up for good', async () => {
    answer = { status: 410 }
    const first = start('a', 'one')
    first.notifier.notify(sampleTransition({ revision: 1 }))
    await pass(10 * MINUTE_MS)
    expect([sent.length, first.notifier.givenUp]).to.deep.equal([1, 1])
    await stop(first)
    start('a', 'two')
    await pass(1_000)
    expect(sent.length).to.equal(1)
  })

  it('are at most a thousand, the newest', async () => {
    answer = 'dead'
    const first = start('a', 'one')
    for (let revision = 1; revision <= 1_200; revision += 1) {
      first.notifier.notify(sampleTransition({ revision, at: revision }))
      if (revision % 300 === 0) await pass(500)
    }
    await stop(first)
    answer = {}
    sent = []
    start('a', 'two')
    await pass(30 * MINUTE_MS)
    expect(revisions().toSorted((a, b) => a - b)).to.deep.equal(
      Array.from({ length: 1_000 }, (_, index) => index + 201),
    )
  })
})
