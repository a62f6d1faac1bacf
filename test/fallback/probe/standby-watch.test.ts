import { expect } from 'chai'
import type { ModelsAnswer } from '../../../src/execution/llm/llm-models.js'
import { createStandbyWatch } from '../../../src/fallback/probe/standby-watch.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { settled } from '../../support/turn-runner.js'

const REFUSED: ModelsAnswer = { usable: false, code: 'http_status', status: 401 }
const GOOD: ModelsAnswer = { usable: true }

function setUp(...answers: (ModelsAnswer | 'hangs')[]) {
  const clock = manualClock()
  const { logger, lines } = capturingLogger()
  const asked: number[] = []
  let changes = 0
  let closed = 0
  const watch = createStandbyWatch({
    clock,
    logger,
    onChange: () => {
      changes += 1
    },
    requests: answers.map((_, at) => ({
      ask(signal) {
        asked.push(clock.monotonic())
        const answer = answers[at]
        if (answer !== undefined && answer !== 'hangs') return Promise.resolve(answer)
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ usable: false, code: 'aborted' }))
        })
      },
      close: () => {
        closed += 1
      },
    })),
  })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(Math.min(500, left))
      await settled()
    }
  }
  const start = async (): Promise<void> => {
    watch.start()
    clock.advance(0)
    await settled()
  }
  return { watch, clock, lines, asked, answers, start, pass, changes: () => changes, closed: () => closed }
}

describe('the watch over the direct LLM', () => {
  it('looks every 30 s', async () => {
    const { watch, asked, start, pass, changes } = setUp(GOOD)
    await start()
    await pass(61_000)
    expect(asked).to.deep.equal([0, 30_000, 60_000])
    expect(watch.state()).to.deep.equal({ unusable: false })
    expect(changes()).to.equal(0)
    await watch.stop()
  })

  it('calls it unusable after two bad looks, the second soon, and tells both ends once', async () => {
    const { watch, asked, answers, lines, start, pass, changes } = setUp(REFUSED)
    await start()
    expect(watch.state()).to.deep.equal({ unusable: false })
    await pass(1000)
    expect(asked).to.deep.equal([0, 1000])
    expect(watch.state()).to.deep.equal({ unusable: true, why: 'http_status 401' })
    await pass(60_000)
    expect(changes()).to.equal(1)
    answers[0] = GOOD
    await pass(30_000)
    expect(watch.state()).to.deep.equal({ unusable: false })
    expect(changes()).to.equal(2)
    expect(lines.map(({ level }) => level)).to.deep.equal([40, 30])
    await watch.stop()
  })

  it('does not for one bad look alone', async () => {
    const { watch, answers, start, pass, changes } = setUp(REFUSED)
    await start()
    answers[0] = GOOD
    await pass(60_000)
    expect(changes()).to.equal(0)
    await watch.stop()
  })

  it('needs one endpoint of all', async () => {
    const one = setUp(REFUSED, GOOD)
    await one.start()
    await one.pass(5000)
    expect(one.watch.state().unusable).to.equal(false)
    await one.watch.stop()
    const none = setUp(REFUSED, { usable: false, code: 'unreachable' })
    await none.start()
    await none.pass(5000)
    expect(none.watch.state()).to.deep.equal({ unusable: true, why: 'http_status 401' })
    await none.watch.stop()
    expect(none.closed()).to.equal(2)
  })

  it('learns nothing from what this machine lacks', async () => {
    const { watch, answers, start, pass } = setUp({ usable: false, code: 'EMFILE' })
    await start()
    await pass(61_000)
    expect(watch.state().unusable).to.equal(false)
    answers[0] = REFUSED
    await pass(31_000)
    answers[0] = { usable: false, code: 'EMFILE' }
    await pass(60_000)
    expect(watch.state().unusable).to.equal(true)
    await watch.stop()
  })

  it('believes an execution that ended well at once', async () => {
    const { watch, start, pass, changes } = setUp(REFUSED)
    await start()
    await pass(2000)
    watch.answered()
    expect(watch.state().unusable).to.equal(false)
    expect(changes()).to.equal(2)
    await watch.stop()
  })

  it('bounds a look, and ends at once in the midst of one', async () => {
    const { watch, start, pass, clock, lines } = setUp('hangs')
    await start()
    await pass(33_000)
    expect(watch.state()).to.deep.equal({ unusable: true, why: 'timeout' })
    await pass(30_000)
    const before = lines.length
    await watch.stop()
    expect(lines).to.have.length(before)
    expect(clock.pending()).to.equal(0)
  })
})
