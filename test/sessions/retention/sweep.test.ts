import { expect } from 'chai'
import { silentLogger } from '../../../src/core/logger.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { startSweep } from '../../../src/sessions/retention/sweep.js'
import { SessionStoreUnavailable } from '../../../src/sessions/session-store.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { settled } from '../../support/turn-runner.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const OWNER = { orgId: 'acme', userId: 'user-1' }

describe('old conversations', () => {
  const setUp = () => {
    const clock = manualClock()
    let jumped = 0
    const wall = (): number => clock.wall() + jumped
    const jumping = { ...clock, wall }
    const store = createMemorySessionStore({ clock: jumping })
    return {
      clock,
      jumping,
      store,
      jump: (ms: number) => {
        jumped += ms
      },
      talk: async (sessionId: string) => {
        await store.create({ sessionId, messageId: sessionId, owner: OWNER, message: 'q' }, 'a')
        await store.finish(sessionId, { status: 'answered', text: 'a', executionMode: 'direct_llm' }, true)
      },
      left: async () => (await store.scan(OWNER)).sessions.map(({ sessionId }) => sessionId),
      async pass(ms: number) {
        for (let at = 0; at < ms; at += HOUR_MS) {
          clock.advance(Math.min(HOUR_MS, ms - at))
          await settled()
        }
      },
    }
  }

  it('are erased after so many days without a turn, each hour, until the sweep is stopped', async () => {
    const { clock, jumping, store, talk, left, pass } = setUp()
    const sweep = startSweep({ clock: jumping, logger: silentLogger, days: 2, sessions: store })
    await talk('first')
    await pass(DAY_MS)
    await talk('second')
    await pass(DAY_MS - HOUR_MS)
    expect(await left()).to.deep.equal(['first', 'second'])
    await pass(2 * HOUR_MS)
    expect(await left()).to.deep.equal(['second'])
    // Nothing is said any more: the clocks have gone together for days.
    await pass(2 * DAY_MS)
    expect(await left()).to.deep.equal([])
    sweep.stop()
    expect(clock.pending()).to.equal(0)
  })

  it('are not erased by a wall clock that jumps', async () => {
    const { jumping, store, talk, left, pass, jump } = setUp()
    const sweep = startSweep({ clock: jumping, logger: silentLogger, days: 2, sessions: store })
    await talk('first')
    await pass(3 * HOUR_MS)
    jump(1_000 * DAY_MS)
    await pass(20 * HOUR_MS)
    expect(await left()).to.deep.equal(['first'])
    sweep.stop()
  })

  it('wait for the next hour where the database is away', async () => {
    const { clock, jumping, store, talk, left, pass } = setUp()
    let away = true
    const { logger, lines } = capturingLogger()
    const sessions = {
      newestTurnAt: () => store.newestTurnAt(),
      eraseIdle: (before: number) =>
        away ? Promise.reject(new SessionStoreUnavailable('away')) : store.eraseIdle(before),
    }
    await talk('first')
    const sweep = startSweep({ clock: jumping, logger, days: 1, sessions })
    await pass(2 * DAY_MS)
    expect(await left()).to.deep.equal(['first'])
    expect(lines.some(({ msg }) => msg === '[Sessions] old conversations wait to be erased')).to.equal(true)
    away = false
    await pass(HOUR_MS)
    expect(await left()).to.deep.equal([])
    expect(lines.at(-1)).to.include({ msg: '[Sessions] old conversations were erased', erased: 1, days: 1 })
    sweep.stop()
    expect(clock.pending()).to.equal(0)
  })
})
