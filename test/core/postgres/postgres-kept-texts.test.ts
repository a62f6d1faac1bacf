import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { openPostgres } from '../../../src/core/postgres/postgres.js'
import { openPostgresKeptTexts } from '../../../src/core/postgres/postgres-kept-texts.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { postgresDatabases } from '../../support/postgres.js'

describe('kept texts in PostgreSQL', () => {
  const postgres = postgresDatabases()

  function open(url: string) {
    const clock = manualClock()
    const { logger, lines } = capturingLogger()
    const texts = openPostgresKeptTexts(openPostgres(url, { clock: systemClock }), { clock, logger })
    return { clock, lines, texts }
  }

  it('are there for another replica, the newest of each name, with when', async () => {
    const url = await postgres.schema()
    const first = open(url)
    expect(await first.texts.read('a')).to.equal(undefined)
    first.texts.keep('a', 'old')
    first.texts.keep('b', 'other')
    first.clock.advance(1000)
    first.texts.keep('a', 'new')
    const at = first.clock.wall()
    await first.texts.close()
    const second = open(url)
    expect(await second.texts.read('a')).to.deep.equal({ text: 'new', at })
    expect((await second.texts.read('b'))?.text).to.equal('other')
    await second.texts.close()
  })

  it('that cannot be kept are logged, and nothing breaks', async () => {
    const { texts, lines } = open('postgres://chat@127.0.0.1:1/chat')
    texts.keep('a', 'text')
    await texts.close()
    expect(lines[0]).to.include({ name: 'a', msg: 'what was good last could not be kept' })
  })
})
