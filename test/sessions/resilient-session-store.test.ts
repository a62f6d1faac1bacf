import { expect } from 'chai'
import fc from 'fast-check'
import { createResilientSessionStore } from '../../src/sessions/resilient-session-store.js'
import {
  type DurableSessionStore,
  type SessionStore,
  SessionStoreUnavailable,
} from '../../src/sessions/session-store.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'
import { rejection } from '../support/rejection.js'
import { until } from '../support/until.js'
import { answered, newTurn, OWNER } from './session-store-contract.js'

type Fault = 'none' | 'writes' | 'all'

const READS = new Set(['peek', 'read', 'holder', 'stopRequested'])
const STRANGER = { orgId: 'acme', userId: 'user-2' }

/** The database that fails as told. */
function failing(inner: DurableSessionStore, fault: () => Fault): DurableSessionStore {
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        const fails = fault() === 'all' || (fault() === 'writes' && !READS.has(String(name)))
        if (fails && name !== 'close' && name !== 'forget')
          return Promise.reject(new SessionStoreUnavailable('planned'))
        return Reflect.apply(value, target, args)
      }
    },
  })
}

describe('the session store without its database', () => {
  let clock: ManualClock
  let database: DurableSessionStore
  let store: SessionStore
  let fault: Fault
  let lines: Record<string, unknown>[]

  const open = (bounds?: { turns: number; characters: number }): SessionStore => {
    const capturing = capturingLogger()
    lines = capturing.lines
    const { logger } = capturing
    database = openSqliteSessionStore(':memory:', { clock, replica: 'a', logger })
    return createResilientSessionStore(
      failing(database, () => fault),
      { clock, logger, ...(bounds === undefined ? {} : { bounds }) },
    )
  }
  const back = async (): Promise<void> => {
    fault = 'none'
    await until('the database to have everything', () => {
      clock.advance(500)
      return store.isAvailable
    })
  }
  const told = async (from: SessionStore, sessionId = 'session-1') =>
    (await from.read(sessionId, OWNER))?.messages.flatMap((message) =>
      message.role === 'assistant' ? [`${message.status}: ${message.content}`] : [],
    )

  beforeEach(() => {
    clock = manualClock()
    fault = 'none'
    store = open()
  })
  afterEach(() => store.close())

  for (const broken of ['writes', 'all'] as const)
    describe(`where ${broken} fail`, () => {
      it('takes a new session and its next turn, and writes both when it is back', async () => {
        fault = broken
        expect(await store.create(newTurn('m1'), 'agent-1')).to.equal('waiting')
        expect(store.isAvailable).to.equal(false)
        expect(await store.finish('m1', answered('one'), true)).to.equal('waiting')
        const next = await store.begin(newTurn('m2'))
        expect(next).to.deep.include({ kind: 'begun', agentId: 'agent-1' })
        // What this process has answered is known to it.
        expect(next).to.deep.include({ history: [{ message: 'question m1', text: 'one' }] })
        await store.finish('m2', answered('two'))
        await store.release('m2')
        expect(await told(store)).to.deep.equal(['answered: one', 'answered: two'])
        await back()
        expect(await told(database)).to.deep.equal(['answered: one', 'answered: two'])
        expect(await database.holder('session-1')).to.equal('nobody')
        expect([store.lost, (await store.begin(newTurn('m3'))).kind]).to.deep.equal([0, 'begun'])
      })

      it('keeps the answer of a turn that was begun before', async () => {
        await store.create(newTurn('m1'), 'agent-1')
        fault = broken
        expect(await store.renew('m1', 'on')).to.equal('held')
        expect(await store.finish('m1', answered('one'), true)).to.equal('waiting')
        if (broken === 'writes') expect(await told(store)).to.deep.equal(['answered: one'])
        expect(await store.begin(newTurn('m2'))).to.deep.include({
          agentId: 'agent-1',
          history: [{ message: 'question m1', text: 'one' }],
        })
        await store.finish('m2', answered('two'), true)
        await back()
        expect(await told(database)).to.deep.equal(['answered: one', 'answered: two'])
        expect(await database.holder('session-1')).to.equal('nobody')
      })

      it('tells the trace of a turn that waits, to whom it belongs, and writes it when it is back', async () => {
        fault = broken
        await store.create(newTurn('m1'), 'agent-1')
        await store.finish('m1', { ...answered('a'), trace: '{"attempts":[]}' }, true)
        const trace = { kind: 'trace', json: '{"attempts":[]}' }
        expect(await store.readTrace('session-1', 'm1', OWNER)).to.deep.equal(trace)
        expect(await store.readTrace('session-1', 'm1', { orgId: 'acme' })).to.deep.equal(trace)
        const strangers = await store.readTrace('session-1', 'm1', STRANGER).catch(() => undefined)
        expect(strangers).to.equal(undefined)
        await back()
        expect(await database.readTrace('session-1', 'm1', OWNER)).to.deep.equal(trace)
      })

      it('erases nothing and loses nothing, and brings nothing back that was erased later', async () => {
        await store.create(newTurn('m1'), 'agent-1')
        fault = broken
        await store.finish('m1', answered('one'), true)
        await store.begin(newTurn('m2'))
        expect(await rejection(store.delete('session-1', OWNER))).to.be.instanceOf(SessionStoreUnavailable)
        expect(await store.renew('m2', 'on')).to.equal('held')
        // The database is back, and both turns still wait for the next try.
        fault = 'none'
        expect(await store.delete('session-1', STRANGER)).to.equal(false)
        expect(await store.delete('session-1', OWNER)).to.equal(true)
        expect(await store.renew('m2', 'on and on')).to.equal('lost')
        await store.finish('m2', answered('two'), true)
        await back()
        expect(await database.read('session-1', OWNER)).to.equal(undefined)
        expect(await store.read('session-1', OWNER)).to.equal(undefined)
        expect(store.lost).to.equal(0)
      })

      it('keeps what waited where erasing failed', async () => {
        await store.create(newTurn('m1'), 'agent-1')
        fault = broken
        await store.finish('m1', answered('one'), true)
        await rejection(store.delete('session-1', OWNER))
        await back()
        expect(await told(database)).to.deep.equal(['answered: one'])
      })

      it('holds 409 and stop within this process', async () => {
        await store.create(newTurn('m1'), 'agent-1')
        fault = broken
        await store.create({ ...newTurn('n1'), sessionId: 'session-2' }, 'agent-1')
        for (const [sessionId, messageId] of [
          ['session-1', 'm1'],
          ['session-2', 'n1'],
        ] as const) {
          expect(await store.begin({ ...newTurn('x'), sessionId })).to.deep.equal({
            kind: 'busy',
            releasing: false,
          })
          expect(await store.holder(sessionId)).to.equal('running')
          expect(await store.requestStop(sessionId, OWNER)).to.deep.equal({ stopped: true, messageId })
          expect(await store.stopRequested(messageId)).to.equal(true)
          expect(await store.renew(messageId, 'x')).to.equal('stop_requested')
          await store.finish(messageId, { ...answered('x'), status: 'stopped' })
          expect(await store.begin({ ...newTurn('x'), sessionId })).to.deep.equal({
            kind: 'busy',
            releasing: true,
          })
          await store.release(messageId)
        }
        await back()
        expect(await told(database)).to.deep.equal(['stopped: x'])
        expect(await told(database, 'session-2')).to.deep.equal(['stopped: x'])
      })

      it('gives nobody another’s session', async () => {
        await store.create(newTurn('m1'), 'agent-1')
        await store.finish('m1', answered('secret'), true)
        fault = broken
        await store.create({ ...newTurn('n1'), sessionId: 'session-2' }, 'agent-1')
        for (const sessionId of ['session-1', 'session-2']) {
          const turn = { ...newTurn('x'), sessionId, owner: STRANGER }
          expect(await store.begin(turn)).to.deep.equal({ kind: 'not_found' })
        }
        expect(await store.read('session-2', STRANGER).catch(() => undefined)).to.equal(undefined)
        expect(await rejection(store.requestStop('session-2', STRANGER))).to.be.instanceOf(
          SessionStoreUnavailable,
        )
      })

      it('makes a turn that still runs known when it is back, so that it holds and renews', async () => {
        fault = broken
        await store.create(newTurn('m1'), 'agent-1')
        await back()
        expect(await database.begin(newTurn('m2'))).to.deep.equal({ kind: 'busy', releasing: false })
        expect(await store.renew('m1', 'half')).to.equal('held')
        expect(await told(database)).to.deep.equal(['running: half'])
        expect(await store.finish('m1', answered('whole'), true)).to.equal('kept')
        expect(await told(database)).to.deep.equal(['answered: whole'])
      })
    })

  it('still reads the history while the database takes no writes', async () => {
    await store.create(newTurn('m1'), 'agent-1')
    await store.finish('m1', answered('one'), true)
    fault = 'writes'
    expect(await store.begin(newTurn('m2'))).to.deep.equal({
      kind: 'begun',
      agentId: 'agent-1',
      history: [{ message: 'question m1', text: 'one' }],
    })
    expect(await store.begin({ ...newTurn('x'), sessionId: 'session-9' })).to.deep.equal({
      kind: 'not_found',
    })
  })

  it('begins without history and agent where nobody can say whose the session is, and keeps it only as its owner’s', async () => {
    const other = { ...newTurn('o1'), sessionId: 'session-2', owner: STRANGER }
    await database.create(newTurn('m1'), 'agent-1')
    await database.finish('m1', answered('one'), true)
    await database.create(other, 'agent-1')
    await database.finish('o1', answered('theirs'), true)
    fault = 'all'
    for (const sessionId of ['session-1', 'session-2', 'session-3']) {
      const messageId = `x-${sessionId}`
      expect(await store.begin({ ...newTurn(messageId), sessionId })).to.deep.equal({
        kind: 'begun',
        agentId: undefined,
        history: [],
        historyUnavailable: true,
      })
      await store.finish(messageId, answered('mine'), true)
    }
    await back()
    expect(await told(database)).to.deep.equal(['answered: one', 'answered: mine'])
    expect((await database.read('session-2', STRANGER))?.messages).to.have.length(2)
    expect(await database.read('session-3', OWNER)).to.equal(undefined)
    expect(store.lost).to.equal(2)
  })

  it('holds no more than its bounds, and gives up the oldest that have ended', async () => {
    await store.close()
    store = open({ turns: 3, characters: 1_000 })
    fault = 'all'
    for (let index = 0; index < 5; index += 1) {
      await store.create({ ...newTurn(`m${index}`), sessionId: `s${index}` }, 'agent-1')
      await store.finish(`m${index}`, answered('a'.repeat(index === 4 ? 980 : 10)), true)
    }
    expect(store.lost).to.equal(4)
    await back()
    const kept = await Promise.all([0, 1, 2, 3, 4].map((index) => told(database, `s${index}`)))
    expect(kept.map((one) => one !== undefined)).to.deep.equal([false, false, false, false, true])
    expect(lines.filter(({ msg }) => String(msg).includes('turns are lost'))).to.have.length(1)
  })

  it('counts a turn that made way once, and never writes it, though its release comes later', async () => {
    await store.close()
    store = open({ turns: 1, characters: 1_000 })
    fault = 'all'
    await store.create({ ...newTurn('m1'), sessionId: 's1' }, 'agent-1')
    await store.finish('m1', answered('one'))
    await store.create({ ...newTurn('m2'), sessionId: 's2' }, 'agent-1')
    expect(store.lost).to.equal(1)
    await store.release('m1')
    expect(store.lost).to.equal(1)
    await back()
    expect(await told(database, 's1')).to.equal(undefined)
    expect(await told(database, 's2')).to.deep.equal(['running: '])
  })

  it('tells nobody that a turn is kept that the database refused while it ran', async () => {
    await database.create({ ...newTurn('o1'), owner: STRANGER }, 'agent-1')
    await database.finish('o1', answered('theirs'), true)
    fault = 'all'
    await store.begin(newTurn('m1'))
    await back()
    expect(store.lost).to.equal(1)
    expect(await store.renew('m1', 'mine')).to.equal('lost')
    expect(await store.finish('m1', answered('mine'), true)).to.equal('waiting')
    expect(store.lost).to.equal(1)
  })

  it('keeps an end that the database is slow to refuse, though the release comes before', async () => {
    await store.create(newTurn('m1'), 'agent-1')
    const { finish } = database
    let refuse: (error: Error) => void = () => undefined
    database.finish = () =>
      new Promise((_, reject) => {
        refuse = reject
      })
    const finished = store.finish('m1', answered('one'))
    await store.release('m1')
    database.finish = finish
    refuse(new SessionStoreUnavailable('planned'))
    expect(await finished).to.equal('waiting')
    await back()
    expect(await told(database)).to.deep.equal(['answered: one'])
    expect(await database.holder('session-1')).to.equal('nobody')
  })

  it('keeps an earlier answer to the same question in the history', async () => {
    const question = { message: 'Who?' }
    await store.create({ ...newTurn('m1'), ...question }, 'agent-1')
    await store.finish('m1', answered('Ada'), true)
    fault = 'writes'
    await store.begin({ ...newTurn('m2'), ...question })
    await store.finish('m2', answered('Ada Lovelace'), true)
    const { history } = { history: [], ...(await store.begin(newTurn('m3'))) }
    expect(history).to.deep.equal([
      { ...question, text: 'Ada' },
      { ...question, text: 'Ada Lovelace' },
    ])
  })

  it('writes what waits when it is closed', async () => {
    fault = 'all'
    await store.create(newTurn('m1'), 'agent-1')
    await store.finish('m1', answered('one'), true)
    fault = 'none'
    let written: unknown
    const close = database.close.bind(database)
    database.close = async () => {
      written = await told(database)
      await close()
    }
    await store.close()
    expect(written).to.deep.equal(['answered: one'])
    expect(clock.pending()).to.equal(0)
  })

  it('loses no answer, whenever the database comes and goes', async () => {
    const step = fc.oneof(
      fc.constantFrom<Fault>('none', 'writes', 'all').map((value) => ({ kind: 'fault', value }) as const),
      fc.integer({ min: 0, max: 2 }).map((session) => ({ kind: 'turn', session }) as const),
      fc.integer({ min: 0, max: 2 }).map((session) => ({ kind: 'end', session }) as const),
      fc.constant({ kind: 'time' } as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        clock = manualClock()
        fault = 'none'
        store = open()
        const running = new Map<number, string>()
        const ended: string[][] = [[], [], []]
        const created = new Set<number>()
        for (const [index, one] of steps.entries()) {
          if (one.kind === 'fault') fault = one.value
          else if (one.kind === 'time') clock.advance(500)
          else if (one.kind === 'end') {
            const messageId = running.get(one.session)
            running.delete(one.session)
            if (messageId === undefined) continue
            await store.finish(messageId, answered(messageId), index % 2 === 0)
            await store.release(messageId)
            ended[one.session]?.push(`answered: ${messageId}`)
          } else {
            const turn = { ...newTurn(`m${index}`), sessionId: `s${one.session}` }
            if (!created.has(one.session)) await store.create(turn, 'agent-1')
            else {
              const begun = await store.begin(turn)
              expect(begun.kind).to.equal(running.has(one.session) ? 'busy' : 'begun')
              if (begun.kind !== 'begun') continue
            }
            created.add(one.session)
            running.set(one.session, turn.messageId)
          }
          await new Promise((resolve) => setImmediate(resolve))
        }
        await back()
        for (const session of created) {
          const all = (await told(database, `s${session}`)) ?? []
          expect(all.filter((one) => one.startsWith('answered'))).to.deep.equal(ended[session])
        }
        expect(store.lost).to.equal(0)
        await store.close()
      }),
      { numRuns: 150 },
    )
  })
})
