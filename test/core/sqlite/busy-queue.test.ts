import { expect } from 'chai'
import { BusyQueue, BusyQueueError } from '../../../src/core/sqlite/busy-queue.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { rejection } from '../../support/rejection.js'

class Busy extends Error {}

describe('the busy queue', () => {
  let clock: ManualClock
  let queue: BusyQueue
  let locked: boolean
  let tries: string[]

  const make = (maxWaiting = 100): BusyQueue =>
    new BusyQueue({
      now: clock.monotonic,
      schedule: clock.schedule,
      isBusy: (error) => error instanceof Busy,
      deadlineMs: 2_000,
      maxWaiting,
    })
  /** work that fails while the lock is held */
  const work = (name: string) => (): string => {
    tries.push(name)
    if (locked) throw new Busy('locked')
    return `${name} done`
  }

  beforeEach(() => {
    clock = manualClock()
    locked = false
    tries = []
    queue = make()
  })

  it('works at once while nothing is locked', async () => {
    const done = queue.run(work('a'))
    expect(tries).to.deep.equal(['a'])
    expect(clock.pending()).to.equal(0)
    expect(await done).to.equal('a done')
  })

  it('passes the error of the work through', async () => {
    const fault = new Error('constraint')
    const thrown = await rejection(
      queue.run(() => {
        throw fault
      }),
    )
    expect(thrown).to.equal(fault)
    expect(clock.pending()).to.equal(0)
  })

  it('tries only the first in line, and lets all through in order when the lock is gone', async () => {
    locked = true
    const all = [queue.run(work('a')), queue.run(work('b')), queue.run(work('c'))]
    expect(tries).to.deep.equal(['a'])
    clock.advance(100)
    expect(new Set(tries)).to.deep.equal(new Set(['a']))
    locked = false
    tries = []
    clock.advance(100)
    expect(tries).to.deep.equal(['a', 'b', 'c'])
    expect(await Promise.all(all)).to.deep.equal(['a done', 'b done', 'c done'])
    expect(clock.pending()).to.equal(0)
  })

  it('pauses longer and longer between two tries', () => {
    locked = true
    void queue.run(work('a')).catch(() => undefined)
    clock.advance(1_000)
    // 2 + 4 + 8 + 16 and then 32 ms a time
    expect(tries.length).to.be.within(30, 40)
  })

  it('gives up at the deadline, each work at its own', async () => {
    locked = true
    const first = queue.run(work('a'))
    clock.advance(1_000)
    const second = queue.run(work('b'))
    clock.advance(1_040)
    const thrown = await rejection(first)
    expect(thrown).to.be.instanceOf(BusyQueueError)
    expect(thrown.cause).to.be.instanceOf(Busy)
    locked = false
    clock.advance(100)
    expect(await second).to.equal('b done')
    expect(tries.filter((name) => name === 'b')).to.have.length(1)
  })

  it('lets reads overtake, and has them wait only when they are busy themselves', async () => {
    locked = true
    const first = queue.run(work('write'))
    expect(await queue.run(() => 'read', true)).to.equal('read')
    const busyRead = queue.run(work('busy read'), true)
    locked = false
    clock.advance(10)
    expect(await Promise.all([first, busyRead])).to.deep.equal(['write done', 'busy read done'])
  })

  it('goes on behind a work that fails in line', async () => {
    locked = true
    const failing = queue.run(() => {
      if (locked) throw new Busy('locked')
      throw new Error('disk full')
    })
    const next = queue.run(work('next'))
    locked = false
    clock.advance(10)
    expect((await rejection(failing)).message).to.equal('disk full')
    expect(await next).to.equal('next done')
  })

  it('gives the event loop its turn between two rounds', async () => {
    locked = true
    const slow = (name: string) => () => {
      const result = work(name)()
      // as if it had taken 10 ms
      clock.advance(10)
      return result
    }
    const all = [queue.run(slow('a')), queue.run(slow('b')), queue.run(slow('c'))]
    locked = false
    tries = []
    clock.advance(2)
    expect(tries).to.deep.equal(['a'])
    clock.advance(100)
    expect(await Promise.all(all)).to.have.length(3)
  })

  it('is bounded', async () => {
    queue = make(1)
    locked = true
    const waiting = queue.run(work('a'))
    expect(await rejection(queue.run(work('b')))).to.be.instanceOf(BusyQueueError)
    queue.close()
    await rejection(waiting)
  })

  it('rejects what waits when it is closed, and all that comes later', async () => {
    locked = true
    const waiting = queue.run(work('a'))
    queue.close()
    expect(await rejection(waiting)).to.be.instanceOf(BusyQueueError)
    expect(await rejection(queue.run(work('b')))).to.be.instanceOf(BusyQueueError)
    expect(clock.pending()).to.equal(0)
  })
})
