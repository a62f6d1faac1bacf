import { expect } from 'chai'
import { postgresDatabases } from '../../support/postgres.js'

describe('PostgreSQL for tests', () => {
  const postgres = postgresDatabases()

  it('gives schemas of one database, each empty', async () => {
    const [one, two] = [await postgres.schema(), await postgres.schema()]
    await postgres.query(one, 'CREATE TABLE only_here (n int)')
    const tables = async (url: string) =>
      postgres.query(url, 'SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relname = $1', [
        'only_here',
      ])
    expect(await tables(one)).to.have.length(1)
    expect(await tables(two)).to.have.length(0)
  })
})
