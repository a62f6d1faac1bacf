import { expect } from 'chai'
import { createLoop } from '../../src/core/loop.js'
import { manualClock } from '../support/manual-clock.js'
import { settled } from '../support/turn-runner.js'

function setUp(intervalMs = 1000) {
  const clock = manualClock()
  const errors: unknown[] = []
  const rounds: number[] = []
  const ends: (() => void)[] = []
  let overlapping = 0
  let most = 0
  let failing = false
  const loop = createLoop({
    clock,
    intervalMs: () => intervalMs,
    pauseMs: 20,
    onError: (thrown) => errors.push(thrown),
    async run() {
      rounds.push(clock.monotonic())
      overlapping += 1
      most = Math.max(most, overlapping)
      await new Promise<void>((resolve) => ends.push(resolve))
      overlapping -= 1
      if (failing) throw new Error('a bad round')
    },
  })
  const finish = async (): Promise<void> => {
    ends.shift()?.()
    await settled()
  }
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await settled()
  }
  return {
    loop,
    clock,
    errors,
    rounds,
    finish,
    advance,
    most: () => most,
    fail: () => {
      failing = true
    },
  }
}

describe('a loop', () => {
  it('begins a round an interval after the start of the last', async () => {
    const { loop, rounds, finish, advance } = setUp()
    void loop.start()
    await advance(0)
    await advance(300)
    await finish()
    await advance(699)
    expect(rounds).to.deep.equal([0])
    await advance(1)
    expect(rounds).to.deep.equal([0, 1000])
    await finish()
    await loop.stop()
  })

  it('never overlaps: a long round is followed at once by the one that is due', async () => {
    const { loop, rounds, finish, advance, most } = setUp()
    void loop.start()
    await advance(0)
    await advance(5000)
    expect(rounds).to.deep.equal([0])
    await finish()
    await advance(0)
    expect(rounds).to.deep.equal([0, 5000])
    expect(most()).to.equal(1)
    await finish()
    await loop.stop()
  })

  it('answers a nudge with a round that began after it, however many asked', async () => {
    const { loop, rounds, finish, advance } = setUp()
    void loop.start()
    await advance(0)
    let served = 0
    for (let n = 0; n < 3; n += 1) void loop.nudge().then(() => (served += 1))
    await finish()
    expect(served).to.equal(0)
    await advance(20)
    expect(rounds).to.deep.equal([0, 20])
    await finish()
    expect(served).to.equal(3)
    await loop.stop()
  })

  it('survives its own errors', async () => {
    const { loop, rounds, finish, advance, errors, fail } = setUp()
    fail()
    const first = loop.start()
    await advance(0)
    await finish()
    await first
    await advance(1000)
    expect(rounds).to.have.length(2)
    expect(errors).to.have.length(1)
    await finish()
    await loop.stop()
  })

  it('ends with the round under way, and lets nobody wait for another', async () => {
    const { loop, rounds, finish, advance, clock } = setUp()
    void loop.start()
    await advance(0)
    const nudged = loop.nudge()
    let stopped = false
    const stopping = loop.stop().then(() => (stopped = true))
    await settled()
    expect(stopped).to.equal(false)
    await finish()
    await Promise.all([stopping, nudged])
    await advance(10_000)
    expect(rounds).to.deep.equal([0])
    expect(clock.pending()).to.equal(0)
    await loop.nudge()
  })
})
