import { expect } from 'chai'
import { createConcurrencyLimiter } from '../../../src/http/edge/concurrency-limiter.js'
import { manualClock } from '../../support/manual-clock.js'
import { rejection } from '../../support/rejection.js'
import { settled } from '../../support/turn-runner.js'

describe('a bulkhead', () => {
  const rig = () => {
    const clock = manualClock()
    const refusal = new Error('too many')
    const bulkhead = createConcurrencyLimiter({
      clock,
      running: 2,
      waiting: 2,
      waitMs: 1_000,
      refusal: () => refusal,
    })
    const begun: number[] = []
    const ends = new Map<number, (error?: Error) => void>()
    const run = (id: number, isWanted = () => true): Promise<number> => {
      const ran = bulkhead.run(() => {
        begun.push(id)
        return new Promise<number>((resolve, reject) => {
          ends.set(id, (error) => (error === undefined ? resolve(id) : reject(error)))
        })
      }, isWanted)
      ran.catch(() => undefined)
      return ran
    }
    const end = async (id: number, error?: Error): Promise<void> => {
      ends.get(id)?.(error)
      await settled()
    }
    return { clock, refusal, bulkhead, begun, run, end }
  }

  it('run, the next ones wait in order, and what is beyond is refused', async () => {
    const { begun, run, end, refusal, clock } = rig()
    const all = [run(1), run(2), run(3), run(4)]
    expect(await rejection(run(5))).to.equal(refusal)
    expect(begun).to.deep.equal([1, 2])
    await end(2)
    expect(begun).to.deep.equal([1, 2, 3])
    await end(1)
    await end(3)
    await end(4)
    expect(await Promise.all(all)).to.deep.equal([1, 2, 3, 4])
    expect(clock.pending()).to.equal(0)
    run(6)
    run(7)
    run(8)
    expect(begun).to.deep.equal([1, 2, 3, 4, 6, 7])
  })

  it('give their place on when they fail', async () => {
    const { begun, run, end, bulkhead } = rig()
    const failing = [run(1), run(2)]
    run(3)
    await end(1, new Error('broke'))
    expect(begun).to.deep.equal([1, 2, 3])
    expect(await rejection(failing[0] ?? Promise.resolve())).to.include({ message: 'broke' })
    await end(2)
    const thrown = bulkhead.run(
      () => {
        throw new TypeError('at once')
      },
      () => true,
    )
    expect(await rejection(thrown)).to.be.instanceOf(TypeError)
    run(4)
    expect(begun).to.deep.equal([1, 2, 3, 4])
  })

  it('are refused when their turn does not come in time', async () => {
    const { begun, run, end, refusal, clock } = rig()
    run(1)
    run(2)
    const late = run(3)
    clock.advance(600)
    const later = run(4)
    clock.advance(400)
    expect(await rejection(late)).to.equal(refusal)
    await end(1)
    expect(begun).to.deep.equal([1, 2, 4])
    await end(4)
    expect(await later).to.equal(4)
  })

  it('are passed over when nobody wants them any more', async () => {
    const { begun, run, end, refusal, clock } = rig()
    run(1)
    run(2)
    const left = run(3, () => false)
    run(4)
    await end(2)
    expect(begun).to.deep.equal([1, 2, 4])
    expect(await rejection(left)).to.equal(refusal)
    expect(clock.pending()).to.equal(0)
  })
})
