import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { POSTGRES_SCHEMAS } from '../../../src/migrate/schemas.js'

/**
 * Digests of the migrations that databases may already have. A script that changes afterwards would leave two kinds of tables
 * under one version: add a new script and its digest, and never change a line that is here.
 */
const RELEASED: Readonly<Record<string, readonly string[]>> = {
  sessions: ['2ffba89f515a217d'],
  journal: ['e7e2f6416a6764d0'],
  idempotency: ['3cf884d98a1f575a'],
  kept: ['ede8444d508e8743'],
  usage: ['005bee71a70d9eee'],
  replicas: ['75a629c73885af7c'],
}

const digestOf = (script: string): string => createHash('sha256').update(script).digest('hex').slice(0, 16)

describe('the migrations of PostgreSQL', () => {
  for (const { room, migrations } of POSTGRES_SCHEMAS)
    it(`of ${room} are those that were released, and new ones follow them`, () => {
      expect(migrations.map(digestOf)).to.deep.equal(RELEASED[room])
    })

  it('are all here', () => {
    expect(POSTGRES_SCHEMAS.map(({ room }) => room).sort()).to.deep.equal(Object.keys(RELEASED).sort())
  })
})
