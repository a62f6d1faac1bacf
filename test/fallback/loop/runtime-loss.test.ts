import { expect } from 'chai'
import { RuntimeLoss } from '../../../src/fallback/loop/runtime-loss.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { settled } from '../../support/turn-runner.js'

function setUp(waiting: number) {
  const { logger, lines } = capturingLogger()
  const clock = manualClock()
  const loss = new RuntimeLoss(logger, clock)
  const told: number[] = []
  const forget = Array.from({ length: waiting }, (_, n) => loss.listen(() => void told.push(n)))
  return { loss, clock, told, forget, lines }
}

describe('the loss of the runtime', () => {
  it('is told to one waiting turn at once, and after the round to one more in each turn of the event loop', async () => {
    const { loss, told } = setUp(100)
    loss.set(true)
    for (let round = 0; round < 5; round += 1) await settled()
    expect(told).to.deep.equal([0])
    loss.roundEnded()
    for (let round = 1; round < 5; round += 1) {
      await settled()
      expect(told).to.have.length(round + 1)
    }
    for (let round = 5; round < 100; round += 1) await settled()
    loss.set(true)
    await settled()
    expect(told).to.deep.equal(Array.from({ length: 100 }, (_, n) => n))
  })

  it('is told to all after a quarter of a second where the round does not end', async () => {
    const { loss, clock, told } = setUp(3)
    loss.set(true)
    clock.advance(249)
    for (let round = 0; round < 5; round += 1) await settled()
    expect(told).to.deep.equal([0])
    clock.advance(1)
    for (let round = 0; round < 5; round += 1) await settled()
    expect(told).to.deep.equal([0, 1, 2])
    expect(clock.pending()).to.equal(0)
  })

  it('is not told to who has ended meanwhile, nor to anybody once it is over', async () => {
    const { loss, told, forget } = setUp(6)
    loss.set(true)
    loss.roundEnded()
    forget[1]?.()
    await settled()
    await settled()
    expect(told).to.deep.equal([0, 2])
    loss.set(false)
    for (let round = 0; round < 9; round += 1) await settled()
    expect(told).to.deep.equal([0, 2])
  })

  it('goes on after a listener that throws', async () => {
    const { loss, told, lines } = setUp(0)
    loss.listen(() => {
      throw new Error('broken')
    })
    loss.listen(() => void told.push(1))
    loss.set(true)
    loss.roundEnded()
    await settled()
    expect(told).to.deep.equal([1])
    expect(lines).to.have.length(1)
  })
})
