import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import type { DurableSessionStore } from '../../src/sessions/session-store.js'
import { SessionStoreUnavailable } from '../../src/sessions/session-store.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { forked, killForked } from '../support/forked.js'
import { type LockHolder, lockHolder } from '../support/lock-holder.js'
import { manualClock } from '../support/manual-clock.js'
import { rejection } from '../support/rejection.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { until } from '../support/until.js'
import { answered, newTurn, OWNER } from './session-store-contract.js'

const words = (lines: readonly Record<string, unknown>[]): unknown[] => lines.map(({ msg }) => msg)
const UNAVAILABLE = '[Sessions] the session store is unavailable'
const AVAILABLE = '[Sessions] the session store is available again'

describe('the SQLite session store in trouble', () => {
  const directory = temporaryDirectory()
  let store: DurableSessionStore | undefined
  let lines: Record<string, unknown>[]

  const open = (clock = systemClock): DurableSessionStore => {
    const capturing = capturingLogger()
    lines = capturing.lines
    const options = { clock, replica: 'a', logger: capturing.logger }
    store = openSqliteSessionStore(directory.path('chat.db'), options)
    return store
  }
  afterEach(async () => {
    await store?.close()
    store = undefined
    await killForked()
  })

  describe('while another process holds the lock', () => {
    let holder: LockHolder

    beforeEach(async () => {
      holder = await lockHolder(directory.path('chat.db'))
    })

    // How often it tries, and that only the first in line is tried: test/core/sqlite/busy-queue.test.ts.
    it('waits for it, in order, while readers go on', async () => {
      let looks = 0
      const monotonic = (): number => {
        looks += 1
        return systemClock.monotonic()
      }
      const sessions = open({ ...systemClock, monotonic })
      await sessions.create(newTurn('m0'), 'agent-1')
      await holder.lock()
      const writes = [
        sessions.renew('m0', 'half'),
        ...Array.from({ length: 50 }, (_, index) =>
          sessions.create({ ...newTurn(`m${index + 1}`), sessionId: `s${index + 1}` }, 'agent-1'),
        ),
        sessions.finish('m0', answered('whole')),
      ]
      expect(await sessions.stopRequested('m0')).to.equal(false)
      // Each round of the queue asks for the time.
      const before = looks
      await until('some rounds in vain', () => looks >= before + 10)
      expect(await sessions.stopRequested('m0')).to.equal(false)
      await holder.unlock()
      await Promise.all(writes)
      expect((await sessions.read('session-1', OWNER))?.messages[1]).to.include({ content: 'whole' })
      expect(lines).to.deep.equal([])
    }).timeout(20_000)

    it('blocks for a few milliseconds at most', async () => {
      const sessions = open()
      await holder.lock()
      const blocked: number[] = []
      for (let index = 0; index < 5; index += 1) {
        const startedAt = performance.now()
        const write = sessions.release('m0')
        blocked.push(performance.now() - startedAt)
        await holder.unlock()
        await write
        await holder.lock()
      }
      expect(Math.min(...blocked)).to.be.lessThan(20)
    }).timeout(20_000)

    it('gives up after two seconds, tells it once though reads go on, and works again afterwards', async () => {
      const clock = manualClock()
      const sessions = open(clock)
      await holder.lock()
      const writes = [sessions.create(newTurn('m1'), 'agent-1'), sessions.release('m0')]
      clock.advance(1_999)
      writes.push(sessions.release('m9'))
      clock.advance(1)
      for (const write of writes.slice(0, 2))
        expect(await rejection(write)).to.be.instanceOf(SessionStoreUnavailable)
      expect(words(lines)).to.deep.equal([UNAVAILABLE])
      expect(lines[0]).to.include({ code: 'SQLITE_BUSY' })
      expect(await sessions.holder('session-1')).to.equal('nobody')
      expect(sessions.isAvailable).to.equal(false)
      expect(words(lines)).to.deep.equal([UNAVAILABLE])
      await holder.unlock()
      await writes[2]
      expect(words(lines)).to.deep.equal([UNAVAILABLE, AVAILABLE])
      await sessions.create(newTurn('m1'), 'agent-1')
      expect(words(lines)).to.have.length(2)
    }).timeout(20_000)

    it('keeps nothing of a turn whose release failed, once it is told to forget it', async () => {
      const clock = manualClock()
      const sessions = open(clock)
      await sessions.create(newTurn('m0'), 'agent-1')
      await sessions.requestStop('session-1', OWNER)
      expect(await sessions.stopRequested('m0')).to.equal(true)
      await holder.lock()
      const release = rejection(sessions.release('m0'))
      clock.advance(2_000)
      expect(await release).to.be.instanceOf(SessionStoreUnavailable)
      await holder.unlock()
      sessions.forget('m0')
      // The stop mark is still there; who asks is no turn of this process any more.
      expect(await sessions.stopRequested('m0')).to.equal(false)
      expect(await sessions.holder('session-1')).to.equal('running')
    }).timeout(20_000)

    it('rejects what still waits when it is closed', async () => {
      const sessions = open()
      await holder.lock()
      const write = sessions.create(newTurn('m1'), 'agent-1')
      await sessions.close()
      expect(await rejection(write)).to.be.instanceOf(SessionStoreUnavailable)
    }).timeout(20_000)
  })

  it('tells a damaged file as unavailable, and what is in it to nobody', async () => {
    const path = directory.path('chat.db')
    const sessions = open()
    await sessions.create(newTurn('m1', 'secret question'), 'agent-1')
    await sessions.finish('m1', answered('secret answer '.repeat(20_000)))
    await sessions.close()
    damage(path)
    const thrown = await rejection(open().read('session-1', OWNER))
    expect(thrown).to.be.instanceOf(SessionStoreUnavailable)
    expect(words(lines)).to.deep.equal([UNAVAILABLE])
    expect(JSON.stringify(lines)).to.contain('SQLITE_CORRUPT').and.not.contain('secret')
  })

  it('refuses turns while the disk takes no more, and keeps what it had', async () => {
    // The log of the database outgrows 1 MiB long before the turns are through.
    const child = forked(
      'test/sessions/turns-process.ts',
      [directory.path('chat.db'), 'full', '100000'],
      'ulimit -f 2048',
    )
    const told: string[] = []
    let message = await child.message()
    for (; !message.startsWith('failed') && message !== 'end'; message = await child.message())
      told.push(message)
    expect(message).to.equal('failed: SessionStoreUnavailable')
    expect(told.length).to.be.greaterThan(10)
    const sessions = open()
    for (const sessionId of told) {
      expect((await sessions.read(sessionId, OWNER))?.messages[1]).to.include({ status: 'answered' })
    }
    await sessions.create(newTurn('m1'), 'agent-1')
  }).timeout(30_000)
})

/** Overwrites the last quarter: the long answer's pages. */
function damage(path: string): void {
  const { size } = statSync(path)
  const file = openSync(path, 'r+')
  writeSync(
    file,
    Buffer.alloc(Math.floor(size / 4), 0xff),
    0,
    Math.floor(size / 4),
    Math.ceil((size * 3) / 4),
  )
  closeSync(file)
  expect(readFileSync(path)).to.have.length(size)
}
