import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { openPostgres } from '../../src/core/postgres/postgres.js'
import type { IdempotencyKeys } from '../../src/idempotency/idempotency-keys.js'
import { MemoryKeys } from '../../src/idempotency/memory-keys.js'
import { openIdempotencyKeys } from '../../src/idempotency/open-keys.js'
import { openPostgresKeys } from '../../src/idempotency/postgres-keys.js'
import { openSqliteKeys } from '../../src/idempotency/sqlite-keys.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { manualClock } from '../support/manual-clock.js'
import { postgresDatabases } from '../support/postgres.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const owner = { orgId: 'acme', userId: 'user-1' }
const turn = (n: number) => ({ bodyHash: 'b', sessionId: `s${n}`, messageId: `m${n}` })
const DAY_MS = 86_400_000

describe('idempotency keys', () => {
  for (const where of ['memory', 'a file', 'PostgreSQL'] as const)
    describe(`in ${where}`, () => {
      const directory = temporaryDirectory()
      const postgres = where === 'PostgreSQL' ? postgresDatabases() : undefined
      const clock = manualClock()
      const { logger } = capturingLogger()
      let keys: IdempotencyKeys
      let count = 0
      beforeEach(async () => {
        count += 1
        const path = where === 'memory' ? ':memory:' : directory.path(`${count}.db`)
        const database = postgres ? openPostgres(await postgres.schema(), { clock: systemClock }) : path
        keys = openIdempotencyKeys(database, { clock, logger, nonce: 'one' })
      })
      afterEach(() => keys.close())

      it('stand for the turn that took them first, for each user alone', async () => {
        expect(await keys.find(owner, 'k')).to.equal(undefined)
        expect(await keys.reserve(owner, 'k', turn(1))).to.equal('reserved')
        const kept = { ...turn(1), createdAt: clock.wall(), isOwn: true }
        expect(await keys.reserve(owner, 'k', turn(2))).to.deep.equal(kept)
        expect(await keys.find(owner, 'k')).to.deep.equal(kept)
        expect(await keys.reserve({ ...owner, userId: 'user-2' }, 'k', turn(3))).to.equal('reserved')
        expect(await keys.reserve({ ...owner, orgId: 'globex' }, 'k', turn(4))).to.equal('reserved')
      })

      it('are free again where the turn never began, and no other turn frees them', async () => {
        await keys.reserve(owner, 'k', turn(1))
        await keys.release(owner, 'k', 'm2')
        expect(await keys.find(owner, 'k')).to.include({ messageId: 'm1' })
        await keys.release(owner, 'k', 'm1')
        expect(await keys.reserve(owner, 'k', turn(2))).to.equal('reserved')
      })

      it('are forgotten after a day', async () => {
        await keys.reserve(owner, 'k', turn(1))
        clock.advance(DAY_MS - 1)
        expect(await keys.find(owner, 'k')).to.not.equal(undefined)
        clock.advance(1)
        expect(await keys.find(owner, 'k')).to.equal(undefined)
        expect(await keys.reserve(owner, 'k', turn(2))).to.equal('reserved')
      })
    })

  it('in memory are bounded: the oldest go first', async () => {
    const keys = new MemoryKeys(manualClock(), 3)
    for (let n = 1; n <= 5; n += 1) await keys.reserve(owner, `k${n}`, turn(n))
    expect(keys.size).to.equal(3)
    expect(await keys.find(owner, 'k2')).to.equal(undefined)
    expect(await keys.find(owner, 'k3')).to.not.equal(undefined)
  })

  for (const where of ['a file', 'PostgreSQL'] as const)
    describe(`in ${where}`, () => {
      const directory = temporaryDirectory()
      const postgres = where === 'PostgreSQL' ? postgresDatabases() : undefined
      const clock = manualClock()
      const { logger, lines } = capturingLogger()
      let url = ''
      beforeEach(async () => {
        url = (await postgres?.schema()) ?? ''
      })
      const open = (name: string, nonce: string, maxRows?: number) => {
        const options = { clock, logger, nonce, ...(maxRows === undefined ? {} : { maxRows }) }
        return postgres
          ? openPostgresKeys(openPostgres(url, { clock: systemClock }), options)
          : openSqliteKeys(directory.path(name), options)
      }

      it('hold among replicas and over a restart, which knows that they are not its own', async () => {
        const [one, two] = [open('shared.db', 'one'), open('shared.db', 'two')]
        const answers = [await one.reserve(owner, 'k', turn(1)), await two.reserve(owner, 'k', turn(2))]
        expect(answers).to.deep.equal(['reserved', { ...turn(1), createdAt: clock.wall(), isOwn: false }])
        const both = await Promise.all([one.reserve(owner, 'j', turn(3)), two.reserve(owner, 'j', turn(4))])
        expect(both.filter((answer) => answer === 'reserved')).to.have.length(1)
        await one.close()
        await two.close()
        const again = open('shared.db', 'three')
        expect(await again.find(owner, 'k')).to.include({ messageId: 'm1', isOwn: false })
        await again.close()
      })

      it('are pruned as new ones come, and bounded in number', async () => {
        const keys = open('pruned.db', 'one', 10)
        for (let n = 0; n < 30; n += 1) {
          await keys.reserve(owner, `k${n}`, turn(n))
          clock.advance(60_000)
        }
        const found = await Promise.all(Array.from({ length: 30 }, (_, n) => keys.find(owner, `k${n}`)))
        expect(found.filter((one) => one !== undefined).length).to.be.within(10, 12)
        expect(found.at(-1)).to.not.equal(undefined)
        await keys.close()
      })

      it('go on in memory while the database is away', async () => {
        const keys = open('away.db', 'one')
        await keys.close()
        expect(await keys.reserve(owner, 'k', turn(1))).to.equal('reserved')
        expect(await keys.reserve(owner, 'k', turn(2))).to.include({ messageId: 'm1', isOwn: true })
        await keys.release(owner, 'k', 'm1')
        expect(await keys.find(owner, 'k')).to.equal(undefined)
        expect(lines).to.deep.equal([])
      })
    })
})
