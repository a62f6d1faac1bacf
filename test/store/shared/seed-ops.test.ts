import { expect } from 'chai'
import { silentLogger } from '../../../src/core/logger.js'
import { storedText } from '../../../src/store/content.js'
import { createMemoryFiles, createMemoryFlagStore } from '../../../src/store/file/memory-flag-store.js'
import { seedOps, startSeeding } from '../../../src/store/shared/seed-ops.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'

const from = (text: string | undefined) => ({ read: async () => storedText(text) })
const isGood = (text: string) => text === 'good'

describe('the first content of the operators\u2019 document', () => {
  it('is that of the file', async () => {
    const files = createMemoryFiles()
    const to = createMemoryFlagStore(files)
    expect(await seedOps({ from: from(undefined), to, isGood })).to.equal('no_file')
    expect(await seedOps({ from: from('bad'), to, isGood })).to.equal('refused')
    expect(files.override).to.equal(undefined)
    expect(await seedOps({ from: from('good'), to, isGood })).to.equal('written')
    expect(files.override).to.equal('good')
  })

  it('never replaces one that is there, nor one that another replica wrote first', async () => {
    const files = createMemoryFiles('theirs')
    const to = createMemoryFlagStore(files)
    expect(await seedOps({ from: from('good'), to, isGood })).to.equal('there')
    let isFirst = true
    const late = {
      ...to,
      read: async () => {
        const seen = isFirst ? storedText(undefined) : await to.read()
        isFirst = false
        return seen
      },
    }
    expect(await seedOps({ from: from('good'), to: late, isGood })).to.equal('there')
    expect(files.override).to.equal('theirs')
  })

  it('is written once the store answers', async () => {
    const [files, clock] = [createMemoryFiles(), manualClock()]
    let isAway = true
    const fault = { code: 'ECONNREFUSED', message: 'away' }
    const to = createMemoryFlagStore(files, { fault: () => (isAway ? fault : undefined) })
    const { logger, lines } = capturingLogger()
    const seeding = startSeeding({ from: from('good'), to, isGood, clock, logger })
    await seeding.first
    expect(files.override).to.equal(undefined)
    isAway = false
    clock.advance(5_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect([files.override, lines.length, clock.pending()]).to.deep.equal(['good', 1, 0])
    seeding.stop()
  })

  it('is not tried again after the stop', async () => {
    const clock = manualClock()
    const fault = { code: 'ECONNREFUSED', message: 'away' }
    const to = createMemoryFlagStore(createMemoryFiles(), { fault: () => fault })
    const seeding = startSeeding({ from: from('good'), to, isGood, clock, logger: silentLogger })
    await seeding.first
    seeding.stop()
    expect(clock.pending()).to.equal(0)
  })
})
