import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import type { SessionStore } from '../../src/sessions/session-store.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { forked, killForked } from '../support/forked.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { answered, newTurn, OWNER, RESERVATION_MS } from './session-store-contract.js'

/** between two looks at the others' reservations */
const LOOK_MS = RESERVATION_MS / 15

const TURNS_PROCESS = 'test/sessions/turns-process.ts'

describe('replicas that share the SQLite file', () => {
  const directory = temporaryDirectory()
  let clock: ManualClock
  let opened: SessionStore[]
  /** ms by which the wall clock of the machine was put forward */
  let jumped: number

  const replica = (name: string): SessionStore => {
    const wall = (): number => clock.wall() + jumped
    const options = {
      clock: { ...clock, wall },
      replica: name,
      logger: silentLogger,
      reservationMs: RESERVATION_MS,
    }
    const store = openSqliteSessionStore(directory.path('chat.db'), options)
    opened.push(store)
    return store
  }
  const answerOf = async (store: SessionStore, sessionId: string) =>
    (await store.read(sessionId, OWNER))?.messages.at(-1)

  beforeEach(() => {
    clock = manualClock(Date.now())
    opened = []
    jumped = 0
  })
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()))
    await killForked()
  })

  it('see each other’s running turn, and the next turn may go to either', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m1'), 'agent-1')
    expect(await b.begin(newTurn('m2'))).to.deep.equal({ kind: 'busy', releasing: false })
    await a.finish('m1', answered('from a'))
    expect(await b.begin(newTurn('m2'))).to.deep.equal({ kind: 'busy', releasing: true })
    await a.release('m1')
    expect(await b.begin(newTurn('m2'))).to.deep.include({
      kind: 'begun',
      history: [{ message: 'question m1', text: 'from a' }],
    })
    expect((await a.begin(newTurn('m3'))).kind).to.equal('busy')
  })

  it('stop each other’s turns', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m1'), 'agent-1')
    expect(await b.requestStop('session-1', OWNER)).to.deep.equal({ stopped: true, messageId: 'm1' })
    expect(await a.stopRequested('m1')).to.equal(true)
    expect(await a.renew('m1', 'so far')).to.equal('stop_requested')
  })

  it('keep nothing of a turn whose session another one erased, though its row is a new turn’s by now', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m1'), 'agent-1')
    expect(await b.delete('session-1', OWNER)).to.equal(true)
    await b.create({ sessionId: 'session-2', messageId: 'm2', owner: OWNER, message: 'new' }, 'agent-1')
    expect(await a.renew('m1', 'of the erased one')).to.equal('lost')
    await a.finish('m1', answered('of the erased one'), true)
    expect(await answerOf(b, 'session-2')).to.deep.include({ content: '', status: 'running' })
    await b.finish('m2', answered('of the new one'), true)
    expect(await answerOf(a, 'session-2')).to.deep.include({ content: 'of the new one' })
  })

  it('take over a turn whose reservation ran out', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m1'), 'agent-1')
    await a.renew('m1', 'half')
    // Counted from b's own first sight of the last renewal: it looks each second.
    clock.advance(RESERVATION_MS + LOOK_MS)
    expect(await b.begin(newTurn('m2'))).to.deep.include({
      kind: 'begun',
      history: [{ message: 'question m1', text: 'half' }],
    })
    expect(await a.renew('m1', 'half of it')).to.equal('lost')
    expect((await a.begin(newTurn('m3'))).kind).to.equal('busy')
  })

  for (const hours of [-1, 1, 400 * 24])
    it(`judge a dead replica by their own monotonic clock, also where the wall clock jumps by ${hours} h`, async () => {
      const [a, b] = [replica('a'), replica('b')]
      await a.create(newTurn('m1'), 'agent-1')
      clock.advance(LOOK_MS)
      await a.close()
      jumped = hours * 3_600_000
      clock.advance(RESERVATION_MS - 1)
      expect((await b.begin(newTurn('m2'))).kind).to.equal('busy')
      clock.advance(1)
      expect((await b.begin(newTurn('m2'))).kind).to.equal('begun')
    })

  it('leave a living turn alone whose machine’s wall clock jumps to and fro', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m1'), 'agent-1')
    for (const hours of [1, -1, 9600, -9600, 0, 0]) {
      jumped = hours * 3_600_000
      clock.advance(RESERVATION_MS / 2)
      expect(await a.renew('m1', 'so far')).to.equal('held')
      expect((await b.begin(newTurn('m2'))).kind).to.equal('busy')
    }
  })

  it('free a session by a stop where its replica is gone, an hour before by the wall clock', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m1'), 'agent-1')
    await a.close()
    jumped = -3_600_000
    expect(await b.requestStop('session-1', OWNER)).to.deep.equal({ stopped: true, messageId: 'm1' })
    clock.advance(RESERVATION_MS / 5)
    expect(await b.requestStop('session-1', OWNER)).to.deep.equal({ stopped: false })
    // Also for a replica that has never seen it.
    expect((await replica('c').begin(newTurn('m2'))).kind).to.equal('begun')
  })

  it('give the session to exactly one of many that want it at once', async () => {
    const stores = ['a', 'b', 'c', 'd'].map(replica)
    await stores[0]?.create(newTurn('m0'), 'agent-1')
    await stores[0]?.release('m0')
    const results = await Promise.all(stores.map((store, index) => store.begin(newTurn(`m${index + 1}`))))
    expect(results.map(({ kind }) => kind).sort()).to.deep.equal(['begun', 'busy', 'busy', 'busy'])
  })

  it('open one new file and work on it at the same time, as processes', async () => {
    const names = ['a', 'b', 'c']
    const ends = names.map(async (name) => {
      const child = forked(TURNS_PROCESS, [directory.path('chat.db'), name, '60'])
      const told: string[] = []
      for (let message = await child.message(); message !== 'end'; message = await child.message())
        told.push(message)
      return told
    })
    const told = (await Promise.all(ends)).flat()
    expect(told).to.have.length(180)
    const store = replica('d')
    for (const sessionId of told) expect(await answerOf(store, sessionId)).to.include({ status: 'answered' })
  }).timeout(30_000)

  it('lose no answered conversation when one is killed, and abort its running turn after the reservation', async () => {
    const busy = forked(TURNS_PROCESS, [directory.path('chat.db'), 'busy', '1000000'])
    const parked = forked(TURNS_PROCESS, [directory.path('chat.db'), 'parked', '2', 'park'])
    const told = [await parked.message(), await parked.message()]
    const running = await parked.message()
    for (let count = 0; count < 50; count += 1) told.push(await busy.message())
    await Promise.all([busy.kill(), parked.kill()])

    clock = manualClock(Date.now())
    const store = replica('new')
    for (const sessionId of told) expect(await answerOf(store, sessionId)).to.include({ status: 'answered' })
    expect(await answerOf(store, running)).to.include({ status: 'running', content: 'partial' })
    const next = { sessionId: running, messageId: 'next', owner: OWNER, message: 'again?' }
    expect((await store.begin(next)).kind).to.equal('busy')
    clock.advance(RESERVATION_MS)
    expect(await answerOf(store, running)).to.include({ status: 'aborted', content: 'partial' })
    expect((await store.begin(next)).kind).to.equal('begun')
  }).timeout(30_000)
})
