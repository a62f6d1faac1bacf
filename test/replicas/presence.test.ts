import { expect } from 'chai'
import type { ReplicaState } from '../../src/protocol/fallback.js'
import { createMemoryReplicas } from '../../src/replicas/memory-replicas.js'
import { openReplicas } from '../../src/replicas/open-replicas.js'
import { createPresence, MOST_REPLICAS, type Presence, REMEMBERED_MS } from '../../src/replicas/presence.js'
import type { ReplicaTable } from '../../src/replicas/replicas.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { manualClock } from '../support/manual-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

/** Lets what was begun end: nothing here waits for more than promises. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

describe('the presence of a replica', () => {
  const directory = temporaryDirectory()
  let clock: ReturnType<typeof manualClock>
  let log: ReturnType<typeof capturingLogger>
  beforeEach(() => {
    clock = manualClock(0)
    log = capturingLogger()
  })

  const presence = (name: string, table: ReplicaTable): Presence =>
    createPresence({ clock, logger: log.logger, table, name, version: '1.2.3' })
  const shared = (name: string): Presence => presence(name, openReplicas(directory.path('chat.db'), clock))
  const seen = (one: Presence): string[] =>
    one.seen().map(({ name, state, firstSeen, lastSeen }) => `${name} ${state} ${firstSeen} ${lastSeen}`)
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await settle()
  }

  it('is told every ten seconds to the replicas that share the database, which is told first', async () => {
    const [a, b] = [shared('a'), shared('b')]
    a.start()
    await advance(4_000)
    b.start()
    await settle()
    expect(seen(b)).to.deep.equal(['b starting 4000 4000', 'a starting 0 0'])
    expect(b.seen()[0]?.version).to.equal('1.2.3')
    await advance(6_000)
    expect(seen(a)).to.deep.equal(['a starting 0 10000', 'b starting 4000 4000'])
    await a.stop()
    await b.stop()
    expect(clock.pending()).to.equal(0)
  })

  it('tells a new state at once, and its end', async () => {
    const [a, b] = [shared('a'), shared('b')]
    a.start()
    b.start()
    await settle()
    for (const state of ['ready', 'leaving', 'draining'] as const satisfies ReplicaState[]) {
      a.enter(state)
      await settle()
      expect(a.seen()[0]?.state).to.equal(state)
      b.enter('ready')
      await settle()
      expect(seen(b)[1]).to.equal(`a ${state} 0 0`)
    }
    await a.stop()
    b.enter('ready')
    await settle()
    expect(seen(b)[1]).to.equal('a stopped 0 0')
    await b.stop()
  })

  it('is forgotten a day after the last sign, and known by at most 50 others before', async () => {
    const table = createMemoryReplicas()
    const gone = presence('gone', table)
    gone.start()
    await settle()
    await gone.stop()
    const here = presence('here', table)
    here.start()
    await settle()
    expect(seen(here)).to.have.length(2)
    await advance(REMEMBERED_MS)
    await advance(20_000)
    expect(here.seen().map(({ name }) => name)).to.deep.equal(['here'])
    for (let other = 0; other < 60; other += 1)
      await table.exchange({ name: `${other}`, version: '1', state: 'ready' }, clock.wall(), 0, 1)
    await advance(10_000)
    expect(here.seen()).to.have.length(MOST_REPLICAS)
    expect(here.seen()[0]?.name).to.equal('here')
    await here.stop()
  })

  it('goes on while the database is away, says so once, and keeps what it knew', async () => {
    let isAway = false
    const table = createMemoryReplicas()
    const here = presence('here', {
      ...table,
      exchange: (...asked) => (isAway ? Promise.reject(new Error('away')) : table.exchange(...asked)),
    })
    await presence('other', table).stop()
    await table.exchange({ name: 'other', version: '1', state: 'ready' }, 0, 0, 1)
    here.start()
    await settle()
    isAway = true
    await advance(60_000)
    expect(seen(here)).to.deep.equal(['here starting 0 60000', 'other ready 0 0'])
    expect(log.lines.map(({ msg }) => msg)).to.deep.equal([
      '[Replicas] the list of replicas is not up to date',
    ])
    isAway = false
    await advance(10_000)
    isAway = true
    await advance(10_000)
    expect(log.lines).to.have.length(2)
    await here.stop()
  })

  it('stops although the database hangs', async () => {
    let isClosed = false
    const hanging = {
      exchange: () => new Promise<never>(() => undefined),
      async close() {
        isClosed = true
      },
    }
    const here = presence('here', hanging)
    here.start()
    await here.stop()
    expect(isClosed).to.equal(true)
  })
})
