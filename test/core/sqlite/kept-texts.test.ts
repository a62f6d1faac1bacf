import { expect } from 'chai'
import { openKeptTexts } from '../../../src/core/sqlite/kept-texts.js'
import { openSqlite } from '../../../src/core/sqlite/sqlite.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

describe('kept texts', () => {
  const directory = temporaryDirectory()
  const path = () => directory.path('kept.db')

  function open(file = path()) {
    const clock = manualClock()
    const { logger, lines } = capturingLogger()
    return { clock, lines, texts: openKeptTexts(file, { clock, logger }) }
  }

  it('are there after a restart, the newest of each name, with when', async () => {
    const first = open()
    expect(await first.texts.read('a')).to.equal(undefined)
    first.texts.keep('a', 'old')
    first.texts.keep('b', 'other')
    first.clock.advance(1000)
    first.texts.keep('a', 'new')
    const at = first.clock.wall()
    first.texts.close()
    const second = open()
    expect(await second.texts.read('a')).to.deep.equal({ text: 'new', at })
    expect((await second.texts.read('b'))?.text).to.equal('other')
    second.texts.close()
  })

  it('live beside the other rooms of the file, and are read while another process writes', async () => {
    const other = openSqlite(path(), { room: 'other', migrations: ['CREATE TABLE t (x INTEGER) STRICT;'] })
    const { texts } = open()
    texts.keep('a', 'text')
    other.transaction(() => {
      other.exec('INSERT INTO t VALUES (1)')
      return texts.read('a').then((kept) => expect(kept?.text).to.equal('text'))
    })
    texts.close()
    other.close()
  })

  it('that cannot be kept are logged, and nothing breaks', async () => {
    const { texts, lines } = open()
    texts.close()
    texts.keep('a', 'text')
    await until('the log line', () => lines.length === 1)
    expect(lines[0]).to.include({ name: 'a', msg: 'what was good last could not be kept' })
    let fault: unknown
    await texts.read('a').catch((thrown: unknown) => {
      fault = thrown
    })
    expect(fault).to.be.instanceOf(Error)
  })

  it('in memory end with the process', async () => {
    const { texts } = open(':memory:')
    texts.keep('a', 'text')
    expect((await texts.read('a'))?.text).to.equal('text')
    expect(await open(':memory:').texts.read('a')).to.equal(undefined)
  })
})
