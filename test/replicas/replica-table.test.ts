import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { openPostgres } from '../../src/core/postgres/postgres.js'
import type { ReplicaState } from '../../src/protocol/fallback.js'
import { openReplicas } from '../../src/replicas/open-replicas.js'
import type { ReplicaTable } from '../../src/replicas/replicas.js'
import { postgresDatabases } from '../support/postgres.js'
import { rejection } from '../support/rejection.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const note = (name: string, state: ReplicaState = 'ready', version = '1.2.3') => ({ name, state, version })

for (const where of ['memory', 'a file', 'PostgreSQL'] as const)
  describe(`the table of replicas in ${where}`, () => {
    const directory = temporaryDirectory()
    const postgres = where === 'PostgreSQL' ? postgresDatabases() : undefined
    const opened: ReplicaTable[] = []
    let database: string
    let count = 0
    beforeEach(async () => {
      count += 1
      const path = where === 'memory' ? ':memory:' : directory.path(`${count}.db`)
      database = (await postgres?.schema()) ?? path
    })
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close()
    })
    const open = (): ReplicaTable => {
      const given = postgres === undefined ? database : openPostgres(database, { clock: systemClock })
      const table = openReplicas(given, systemClock)
      opened.push(table)
      return table
    }

    it('keeps what a replica said last, and when it was first seen', async () => {
      const table = open()
      const first = await table.exchange(note('a', 'starting'), 10, 0, 10)
      expect(first).to.deep.equal([{ ...note('a', 'starting'), firstSeen: 10, lastSeen: 10 }])
      const next = note('a', 'draining', '2.0.0')
      expect(await table.exchange(next, 20, 0, 10)).to.deep.equal([{ ...next, firstSeen: 10, lastSeen: 20 }])
    })

    it('lists the newest first, and no more than asked for', async () => {
      const table = open()
      for (const [name, at] of [
        ['a', 10],
        ['b', 30],
        ['c', 20],
      ] as const)
        await table.exchange(note(name), at, 0, 10)
      const names = async (at: number, most: number) =>
        (await table.exchange(note('a'), at, 0, most)).map(({ name }) => name)
      expect(await names(15, 10)).to.deep.equal(['b', 'c', 'a'])
      expect(await names(40, 10)).to.deep.equal(['a', 'b', 'c'])
      expect(await names(50, 2)).to.deep.equal(['a', 'b'])
    })

    it('forgets those that were silent for too long; one that comes back is new', async () => {
      const table = open()
      await table.exchange(note('old'), 10, 0, 10)
      await table.exchange(note('limit'), 20, 0, 10)
      const left = await table.exchange(note('here'), 30, 20, 10)
      expect(left.map(({ name }) => name)).to.deep.equal(['here', 'limit'])
      const again = await table.exchange(note('old'), 40, 20, 10)
      expect(again[0]).to.deep.equal({ ...note('old'), firstSeen: 40, lastSeen: 40 })
    })

    if (where === 'memory') return

    it('is one for all that share the database, also after a restart', async () => {
      const [one, two] = [open(), open()]
      await Promise.all([one.exchange(note('a'), 10, 0, 10), two.exchange(note('b'), 10, 0, 10)])
      const seen = (await one.exchange(note('a'), 20, 0, 10)).map(({ name }) => name)
      expect(seen).to.deep.equal(['a', 'b'])
      expect(await open().exchange(note('c'), 30, 0, 10)).to.have.length(3)
    })

    it('leaves out a state that this version does not know', async () => {
      const state = 'dreaming' as ReplicaState
      expect(await open().exchange(note('newer', state), 10, 0, 10)).to.deep.equal([])
    })

    it('rejects once it is closed', async () => {
      const table = open()
      await table.close()
      expect(await rejection(table.exchange(note('a'), 10, 0, 10))).to.be.instanceOf(Error)
    })
  })
