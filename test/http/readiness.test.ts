import { expect } from 'chai'
import { type Known, type Missing, missingForReady, untilReady } from '../../src/http/readiness.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { manualClock } from '../support/manual-clock.js'
import { settled } from '../support/turn-runner.js'

describe('what a replica misses to be ready', () => {
  const cases: readonly [Known['flags'], Known['keys'], early: readonly string[], late: readonly string[]][] =
    [
      ['source', 'source', [], []],
      ['kept', 'source', ['the flags'], []],
      ['nothing', 'source', ['the flags'], []],
      ['unread', 'source', ['the database'], ['the database']],
      ['source', 'kept', ['the signing keys'], []],
      ['source', 'nothing', ['the signing keys'], ['the signing keys']],
      ['kept', 'kept', ['the flags', 'the signing keys'], []],
    ]
  for (const [flags, keys, early, late] of cases)
    it(`with flags from ${flags} and keys from ${keys}`, () => {
      expect(missingForReady({ flags, keys }, false)).to.deep.equal(early)
      expect(missingForReady({ flags, keys }, true)).to.deep.equal(late)
    })
})

describe('the wait of a start', () => {
  function waiting(waitMs: number) {
    const clock = manualClock()
    const { logger, lines } = capturingLogger()
    const world = {
      known: { flags: 'kept', keys: 'kept' } as Known,
      over: false,
      ended: false,
      missing: [] as readonly Missing[],
    }
    const wait = untilReady(() => world.known, waitMs, {
      clock,
      logger,
      isOver: () => world.over,
      note: (missing) => {
        world.missing = missing
      },
    })
    void wait.then(() => {
      world.ended = true
    })
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 20) {
        clock.advance(20)
        await settled()
      }
    }
    return { world, lines, pass, clock }
  }

  it('ends as soon as everything is known', async () => {
    const { world, pass, clock } = waiting(5000)
    await pass(200)
    expect(world.ended).to.equal(false)
    world.known = { flags: 'source', keys: 'source' }
    await pass(20)
    expect(world.ended).to.equal(true)
    expect(clock.pending()).to.equal(0)
  })

  it('goes by what was kept once its time is over', async () => {
    const { world, pass, lines } = waiting(5000)
    await pass(4980)
    expect(world.ended).to.equal(false)
    await pass(40)
    expect(world.ended).to.equal(true)
    expect(lines).to.deep.equal([])
  })

  it('goes on for keys that nobody has, and says so every ten seconds', async () => {
    const { world, pass, lines } = waiting(5000)
    world.known = { flags: 'source', keys: 'nothing' }
    await pass(30_000)
    expect(world.ended).to.equal(false)
    expect(lines.map(({ msg }) => msg)).to.deep.equal(Array(3).fill('not ready yet'))
    expect(lines[0]).to.deep.include({ missing: ['the signing keys'] })
    expect(world.missing).to.deep.equal(['the signing keys'])
    world.known = { flags: 'source', keys: 'source' }
    await pass(20)
    expect(world.ended).to.equal(true)
  })

  it('ends with a stop', async () => {
    const { world, pass, clock } = waiting(5000)
    world.over = true
    await pass(20)
    expect(world.ended).to.equal(true)
    expect(clock.pending()).to.equal(0)
  })
})
