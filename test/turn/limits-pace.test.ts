import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import { chatLimitsSchema } from '../../src/limits/chat-limits.js'
import { createLimits } from '../../src/turn/limits.js'
import { TurnRefused } from '../../src/turn/turn-refused.js'
import { createTurnRegistry } from '../../src/turn/turn-registry.js'
import { manualClock } from '../support/manual-clock.js'

const ASKER = { orgId: 'org-1', userId: 'user-1' }
const ROUND = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('turns that are admitted', () => {
  function setUp(overloadDelayMs: number) {
    const clock = manualClock()
    const turns = createTurnRegistry(clock)
    const seen = { turnedAway: 0, refusals: [] as string[] }
    const overload = { level: 0 as 0 | 3, places: undefined as number | undefined }
    const limits = createLimits({
      config: { maxStreams: 100, turnsPerMinute: 0 },
      clock,
      logger: silentLogger,
      flags: { limitsFor: async () => chatLimitsSchema.parse({ overloadDelayMs }) },
      turns,
      usage: { used: async () => 0 },
      overload: {
        get level() {
          return overload.level
        },
        get places() {
          return overload.places
        },
        onLook: () => undefined,
        turnedAway: () => {
          seen.turnedAway += 1
        },
      },
      metrics: { recordRefusal: (reason) => void seen.refusals.push(reason) },
      lifecycle: { state: () => 'ready' },
    })
    return { clock, turns, limits, overload, seen }
  }

  /** Asks for so many, and lets them go on without a new round of the event loop. */
  async function ask({ limits }: ReturnType<typeof setUp>, count: number): Promise<Promise<unknown>[]> {
    const asked = Array.from({ length: count }, () =>
      limits.admit(ASKER, { kind: 'new' }).catch((thrown: unknown) => thrown),
    )
    for (let step = 0; step < 50; step += 1) await Promise.resolve()
    return asked
  }

  it('begin a few in a round of the event loop, unless it is not watched', async () => {
    const paced = setUp(100)
    const asked = await ask(paced, 20)
    expect(paced.turns.count).to.equal(8)
    for (let round = 0; round < 3; round += 1) await ROUND()
    expect(paced.turns.count).to.equal(20)
    await Promise.all(asked)
    const unpaced = setUp(0)
    await ask(unpaced, 20)
    expect(unpaced.turns.count).to.equal(20)
  })

  it('may be refused early as soon as others wait though places are free', async () => {
    const edge = setUp(100)
    await ask(edge, 8)
    expect(edge.limits.isShedding()).to.equal(false)
    await ask(edge, 1)
    expect([edge.limits.isShedding(), await edge.limits.refusedAtOnce(ASKER)]).to.deep.equal([true, false])
    for (let round = 0; round < 2; round += 1) await ROUND()
    expect(edge.limits.isShedding()).to.equal(false)
  })

  it('are refused as an overload where places are free, and the watch is told', async () => {
    const edge = setUp(100)
    const asked = await ask(edge, 10)
    // No round comes in which they could begin.
    edge.clock.advance(1_000)
    const answers = await Promise.all(asked)
    const refused = answers.filter((answer) => answer instanceof TurnRefused)
    expect(refused.map(({ refusal, retryAfterSeconds }) => [refusal, retryAfterSeconds])).to.deep.equal([
      ['overloaded', 3],
      ['overloaded', 3],
    ])
    expect(edge.seen).to.deep.equal({ turnedAway: 2, refusals: ['overload', 'overload'] })
  })

  it('are refused early in an overload where the line is full, and are counted', async () => {
    const edge = setUp(100)
    await ask(edge, 8)
    expect([edge.limits.isShedding(), await edge.limits.refusedAtOnce(ASKER)]).to.deep.equal([false, false])
    Object.assign(edge.overload, { level: 3, places: 10 })
    expect([edge.limits.isShedding(), await edge.limits.refusedAtOnce(ASKER)]).to.deep.equal([true, false])
    await ask(edge, 10)
    expect(await edge.limits.refusedAtOnce(ASKER)).to.equal(true)
    expect(edge.seen).to.deep.equal({ turnedAway: 1, refusals: ['overload'] })
    edge.clock.advance(200)
  })
})
