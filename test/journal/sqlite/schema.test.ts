import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { JOURNAL_SCHEMA } from '../../../src/journal/sqlite/schema.js'

describe("the journal's migrations", () => {
  it('stay as they are once files were made by them: a change is one more', () => {
    const digests = JOURNAL_SCHEMA.migrations.map((script) =>
      createHash('sha256').update(script.replace(/\s+/g, ' ').trim()).digest('hex').slice(0, 16),
    )
    expect(digests).to.deep.equal([
      '2e1b661e1ca34f28',
      '2b8ec759a461fabb',
      '2e74f74af5937e31',
      '45ecc1c3610e4208',
      '4ed2926cb3f362ec',
      'c5414b21226bb0f5',
      'f223002857799872',
      '6978137c4174a45e',
      'c458f17160afa3c2',
      '8e5816aeda87870c',
    ])
  })
})
