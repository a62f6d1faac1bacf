import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import { openUsage } from '../../src/limits/sqlite-usage.js'
import { createMemoryUsage, secondsLeftToday } from '../../src/limits/token-usage.js'
import { manualClock } from '../support/manual-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const DAY_MS = 86_400_000

describe('the tokens of an org in a day', () => {
  const directory = temporaryDirectory()
  const open = (name: string, clock = manualClock()) =>
    openUsage(directory.path(name), { clock, logger: silentLogger })

  it('are added up, for each org alone', async () => {
    const usage = open('sum.db')
    usage.add('acme', 100)
    usage.add('acme', 20)
    usage.add('globex', 7)
    expect(await usage.used('acme')).to.equal(120)
    expect(await usage.used('globex')).to.equal(7)
    expect(await usage.used('nobody')).to.equal(0)
    await usage.close()
  })

  it('outlive a restart', async () => {
    const before = open('restart.db')
    before.add('acme', 100)
    await before.close()
    const after = open('restart.db')
    expect(await after.used('acme')).to.equal(100)
    after.add('acme', 1)
    expect(await after.used('acme')).to.equal(101)
    await after.close()
  })

  it('are those of all replicas of a database', async () => {
    const clock = manualClock()
    const [one, two] = [open('two.db', clock), open('two.db', clock)]
    expect(await one.used('acme')).to.equal(0)
    two.add('acme', 50)
    one.add('acme', 8)
    clock.advance(1_000)
    await Promise.resolve()
    clock.advance(3_000)
    // Asked again in the background: the answer after that knows.
    await one.used('acme')
    await new Promise((resolve) => setImmediate(resolve))
    expect(await one.used('acme')).to.equal(58)
    await Promise.all([one.close(), two.close()])
  })

  it('begin again with the UTC day, and the rows of the days before go', async () => {
    const clock = manualClock()
    const usage = open('day.db', clock)
    usage.add('acme', 100)
    clock.advance(DAY_MS)
    expect(await usage.used('acme')).to.equal(0)
    usage.add('acme', 3)
    clock.advance(2_000)
    expect(await usage.used('acme')).to.equal(3)
    await usage.close()
    const memory = createMemoryUsage(clock)
    memory.add('acme', 5)
    clock.advance(DAY_MS)
    expect(memory.used('acme')).to.equal(0)
  })

  it('tell when the day ends', () => {
    const midnight = Date.UTC(2026, 5, 2)
    expect(secondsLeftToday(midnight - 1)).to.equal(1)
    expect(secondsLeftToday(midnight)).to.equal(86_400)
  })
})
