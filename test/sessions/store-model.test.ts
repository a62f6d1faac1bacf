import { expect } from 'chai'
import fc from 'fast-check'
import { silentLogger } from '../../src/core/logger.js'
import { createMemorySessionStore } from '../../src/sessions/memory-session-store.js'
import type { SessionStore, TurnEnd } from '../../src/sessions/session-store.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { codePoint } from '../support/code-point.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'

type Step = (store: SessionStore) => Promise<unknown>
/** One call on both stores, or time passing for both. */
type Operation =
  | { readonly name: string; readonly step: Step; readonly starts?: string }
  | { readonly advanceMs: number }

const sessionId = fc.constantFrom('s1', 's2')
const messageId = fc.constantFrom('m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8')
const owner = fc.constantFrom(
  { orgId: 'o1', userId: 'u1' },
  { orgId: 'o1', userId: 'u1' },
  { orgId: 'o1', userId: 'u1' },
  { orgId: 'o2', userId: 'u1' },
)
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: codePoint, maxLength: 12 }),
  fc.constant('\0\ud800'),
)
const turn = fc.record({ sessionId, messageId, owner, message: text })
const end: fc.Arbitrary<TurnEnd> = fc.record({
  status: fc.constantFrom('answered', 'stopped', 'failed', 'aborted'),
  text,
  executionMode: fc.constantFrom('direct_llm', 'runtime_orchestrator'),
})

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 2,
    arbitrary: turn.map((one) => start('create', one.messageId, (store) => store.create(one, 'agent-1'))),
  },
  { weight: 6, arbitrary: turn.map((one) => start('begin', one.messageId, (store) => store.begin(one))) },
  {
    weight: 2,
    arbitrary: fc.tuple(messageId, text).map(([id, part]) => call('renew', (store) => store.renew(id, part))),
  },
  { weight: 1, arbitrary: messageId.map((id) => call('stopRequested', (store) => store.stopRequested(id))) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(messageId, end, fc.boolean())
      .map(([id, how, release]) => call('finish', (store) => store.finish(id, how, release))),
  },
  { weight: 4, arbitrary: messageId.map((id) => call('release', (store) => store.release(id))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(sessionId, owner)
      .map(([id, who]) => call('requestStop', (store) => store.requestStop(id, who))),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(sessionId, owner).map(([id, who]) => call('read', (store) => store.read(id, who))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(owner, fc.integer({ min: 1, max: 3 }))
      .map(([who, limit]) => call('list', (store) => store.list(who, limit))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(sessionId, owner)
      .map(([id, who]) => call('delete', (store) => store.delete(id, who))),
  },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 80 }).map((advanceMs) => ({ advanceMs })) },
)

const call = (name: string, step: Step): Operation => ({ name, step })
const start = (name: string, starts: string, step: Step): Operation => ({ name, step, starts })

/** The answer, or that there was an error: their texts may differ. */
const answer = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => 'an error')

async function sameAnswers(
  operations: readonly Operation[],
  stores: readonly [SessionStore, SessionStore],
  clock: ManualClock,
): Promise<void> {
  const [memory, sqlite] = stores
  // Message ids are new UUIDs: no turn is ever started under one that was used before.
  const used = new Set<string>()
  for (const one of operations) {
    if ('advanceMs' in one) {
      clock.advance(one.advanceMs)
      continue
    }
    if (one.starts !== undefined && used.has(one.starts)) continue
    if (one.starts !== undefined) used.add(one.starts)
    expect(await answer(one.step(sqlite)), one.name).to.deep.equal(await answer(one.step(memory)))
  }
}

describe('both session stores', () => {
  it('give equal answers to any sequence of calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 60 }), async (operations) => {
        const clock = manualClock()
        const options = { clock, replica: 'a', reservationMs: 50, historyBudget: 30 }
        const memory = createMemorySessionStore(options)
        const sqlite = openSqliteSessionStore(':memory:', { ...options, logger: silentLogger })
        try {
          await sameAnswers(operations, [memory, sqlite], clock)
        } finally {
          await Promise.all([memory.close(), sqlite.close()])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('read a conversation longer than one page, its running turn included', async () => {
    const clock = manualClock()
    const options = { clock, replica: 'a', historyBudget: 1_000_000 }
    const stores = [
      createMemorySessionStore(options),
      openSqliteSessionStore(':memory:', { ...options, logger: silentLogger }),
    ]
    const who = { orgId: 'o1', userId: 'u1' }
    const turnOf = (index: number) => ({
      sessionId: 's1',
      messageId: `m${index}`,
      owner: who,
      message: `q${index}`,
    })
    const views = await Promise.all(
      stores.map(async (store) => {
        await store.create(turnOf(0), 'agent-1')
        for (let index = 1; index < 600; index += 1) {
          await store.finish(`m${index - 1}`, { status: 'answered', text: 'a', executionMode: 'direct_llm' })
          await store.release(`m${index - 1}`)
          const begun = await store.begin(turnOf(index))
          expect(begun).to.have.property('history').with.length(Math.min(index, 500))
        }
        const view = await store.read('s1', who)
        await store.close()
        return view
      }),
    )
    expect(views[1]).to.deep.equal(views[0])
    expect(views[1]?.messages).to.have.length(1_200)
    expect(views[1]?.messages.at(-1)).to.include({ id: 'm599', status: 'running' })
  })
})
