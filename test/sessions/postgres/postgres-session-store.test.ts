import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { openPostgres } from '../../../src/core/postgres/postgres.js'
import { openPostgresSessionStore } from '../../../src/sessions/postgres/postgres-session-store.js'
import type { DurableSessionStore } from '../../../src/sessions/session-store.js'
import { postgresDatabases } from '../../support/postgres.js'
import {
  answered,
  type ContractOptions,
  newTurn,
  OWNER,
  sessionStoreContract,
} from '../session-store-contract.js'

const logger = silentLogger

describe('the session store in PostgreSQL', () => {
  const postgres = postgresDatabases()
  const open = async (options: ContractOptions) =>
    openPostgresSessionStore(openPostgres(await postgres.schema(), { clock: systemClock }), {
      ...options,
      replica: 'a',
      logger,
    })

  sessionStoreContract(open)
})

describe('replicas that share conversations in PostgreSQL', () => {
  const postgres = postgresDatabases()
  const opened: DurableSessionStore[] = []
  let url: string
  const replica = (name: string): DurableSessionStore => {
    const options = { clock: systemClock, replica: name, logger }
    const store = openPostgresSessionStore(openPostgres(url, { clock: systemClock }), options)
    opened.push(store)
    return store
  }
  beforeEach(async () => {
    url = await postgres.schema()
  })
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })

  it('run one turn of a session, whoever begins at the same time', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m0'), 'agent-1')
    await a.finish('m0', answered('a'), true)
    for (let round = 1; round <= 20; round += 1) {
      const ids = [`a${round}`, `b${round}`]
      const begun = await Promise.all([a.begin(newTurn(`a${round}`)), b.begin(newTurn(`b${round}`))])
      expect(begun.map(({ kind }) => kind).sort()).to.deep.equal(['begun', 'busy'])
      const winner = begun[0]?.kind === 'begun' ? 0 : 1
      const history = begun[winner]
      expect(history?.kind === 'begun' && history.history).to.have.length(round)
      const [store, id] = winner === 0 ? [a, ids[0]] : [b, ids[1]]
      await store.finish(id ?? '', answered('x'), true)
    }
  })

  it('stop each other’s turns', async () => {
    const [a, b] = [replica('a'), replica('b')]
    await a.create(newTurn('m1'), 'agent-1')
    expect(await b.requestStop('session-1', OWNER)).to.deep.equal({ stopped: true, messageId: 'm1' })
    expect(await a.stopRequested('m1')).to.equal(true)
    expect(await a.renew('m1', 'so far')).to.equal('stop_requested')
  })

  it('keep a turn once where the answer to its write was lost', async () => {
    const a = replica('a')
    const turn = newTurn('m1')
    const unkept = {
      turn,
      agentId: 'agent-1',
      startedAt: Date.now(),
      text: '',
      end: undefined,
      endedAt: undefined,
      released: false,
    }
    await a.create(turn, 'agent-1')
    expect((await a.peek(turn, () => false)).kind).to.equal('free')
    expect(await a.restore(unkept)).to.equal('kept')
    const ended = { ...unkept, end: answered('whole'), endedAt: Date.now(), released: true }
    expect(await a.restore(ended)).to.equal('kept')
    const view = await a.read('session-1', OWNER)
    expect(view?.messages.map(({ content }) => content)).to.deep.equal(['question m1', 'whole'])
    expect(await a.holder('session-1')).to.equal('nobody')
  })
})
