import { expect } from 'chai'
import type { DataScope, NewTurn, SessionStore, TurnEnd } from '../../src/sessions/session-store.js'
import { SessionStoreUnavailable } from '../../src/sessions/session-store.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'
import { rejection } from '../support/rejection.js'

export interface ContractOptions {
  readonly clock: ManualClock
  readonly reservationMs: number
  readonly historyBudget: number
}

export const OWNER = { orgId: 'acme', userId: 'user-1' }
export const RESERVATION_MS = 15_000

export const newTurn = (messageId: string, message = `question ${messageId}`): NewTurn => ({
  sessionId: 'session-1',
  messageId,
  owner: OWNER,
  message,
})

export const answered = (text: string): TurnEnd => ({
  status: 'answered',
  text,
  executionMode: 'direct_llm',
})

/** What every session store does; `open` gives a fresh one. */
export function sessionStoreContract(
  open: (options: ContractOptions) => SessionStore | Promise<SessionStore>,
): void {
  let clock: ManualClock
  let store: SessionStore

  beforeEach(async () => {
    clock = manualClock()
    store = await open({ clock, reservationMs: RESERVATION_MS, historyBudget: 100 })
  })
  afterEach(() => store.close())

  describe('scanned', () => {
    const USERS = ['user-1', 'user-2']
    beforeEach(async () => {
      for (const orgId of ['acme', 'globex'])
        for (const userId of USERS)
          for (const n of [1, 2]) {
            const sessionId = `${orgId}-${userId}-${n}`
            await store.create(
              { sessionId, messageId: `m-${sessionId}`, owner: { orgId, userId }, message: 'q' },
              'a',
            )
          }
    })
    const scanned = async (scope: DataScope): Promise<string[]> => {
      const found: string[] = []
      for (let after: string | undefined, more = true; more; ) {
        const page = await store.scan(scope, after)
        for (const { sessionId, owner } of page.sessions) {
          expect(sessionId.startsWith(`${owner.orgId}-${owner.userId}-`)).to.equal(true)
          found.push(sessionId)
        }
        after = page.next
        more = after !== undefined
      }
      return found.sort()
    }

    it('has those of a user, of an org, and of a user in one org', async () => {
      expect(await scanned({ orgId: 'acme', userId: 'user-1' })).to.deep.equal([
        'acme-user-1-1',
        'acme-user-1-2',
      ])
      expect(await scanned({ userId: 'user-2' })).to.deep.equal([
        'acme-user-2-1',
        'acme-user-2-2',
        'globex-user-2-1',
        'globex-user-2-2',
      ])
      expect(await scanned({ orgId: 'globex' })).to.have.length(4)
      expect(await scanned({ orgId: 'nobody' })).to.deep.equal([])
    })

    it('has no session that was erased', async () => {
      const owner = { orgId: 'acme', userId: 'user-1' }
      await store.delete('acme-user-1-1', owner)
      expect(await scanned(owner)).to.deep.equal(['acme-user-1-2'])
    })

    it('goes on page by page where there are many', async () => {
      const owner = { orgId: 'many', userId: 'user-1' }
      const ids = Array.from({ length: 1_100 }, (_, n) => `many-user-1-${String(n).padStart(5, '0')}`)
      for (const sessionId of ids)
        await store.create({ sessionId, messageId: `m-${sessionId}`, owner, message: 'q' }, 'a')
      expect((await store.scan({ orgId: 'many' })).next).to.be.a('string')
      expect(await scanned({ orgId: 'many' })).to.deep.equal(ids)
    })
  })

  describe('by its age', () => {
    const HOUR_MS = 3_600_000
    const talk = async (sessionId: string, end = true): Promise<void> => {
      const turn = { sessionId, messageId: `m-${sessionId}`, owner: OWNER, message: 'q' }
      await store.create(turn, 'a')
      if (end) await store.finish(turn.messageId, answered('a'), true)
    }
    const left = async () => (await store.scan(OWNER)).sessions.map(({ sessionId }) => sessionId).sort()
    const erased = async (before: number): Promise<number> => {
      let sum = 0
      for (let after: string | undefined, more = true; more; ) {
        const step = await store.eraseIdle(before, after)
        sum += step.erased
        after = step.next
        more = after !== undefined
      }
      return sum
    }

    it('is erased where nothing was said since, with its turns', async () => {
      expect(await store.newestTurnAt()).to.equal(undefined)
      const began = clock.wall()
      await talk('old')
      await talk('older')
      clock.advance(HOUR_MS)
      await store.begin({ sessionId: 'old', messageId: 'm-again', owner: OWNER, message: 'again' })
      await store.finish('m-again', answered('b'), true)
      await talk('new')
      expect(await store.newestTurnAt()).to.equal(clock.wall())
      expect(await erased(began)).to.equal(0)
      expect(await erased(began + 1)).to.equal(1)
      expect(await left()).to.deep.equal(['new', 'old'])
      expect(await store.read('older', OWNER)).to.equal(undefined)
      expect((await store.read('old', OWNER))?.messages).to.have.length(4)
    })

    it('is left while a turn runs, and erased where its replica is gone long since', async () => {
      await talk('running', false)
      expect(await erased(clock.wall() + 1)).to.equal(0)
      clock.advance(2 * RESERVATION_MS)
      expect(await erased(clock.wall())).to.equal(1)
      expect(await left()).to.deep.equal([])
    })

    it('is erased step by step where there are many, also many turns of one', async () => {
      for (let n = 0; n < 250; n += 1) await talk(`s-${String(n).padStart(3, '0')}`)
      for (let n = 0; n < 450; n += 1) {
        const turn = { sessionId: 's-007', messageId: `t-${n}`, owner: OWNER, message: 'q' }
        await store.begin(turn)
        await store.finish(turn.messageId, answered('a'), true)
      }
      clock.advance(HOUR_MS)
      await talk('new')
      expect(await erased(clock.wall())).to.equal(250)
      expect(await left()).to.deep.equal(['new'])
    })
  })

  const turnTakenAndEnded = async (messageId: string, end: TurnEnd): Promise<void> => {
    expect((await store.begin(newTurn(messageId))).kind).to.equal('begun')
    await store.finish(messageId, end)
    await store.release(messageId)
  }
  const turnTaken = (messageId: string): Promise<unknown> => store.finish(messageId, answered('a'), true)
  const statuses = async (): Promise<string[]> =>
    (await store.read('session-1', OWNER))?.messages.flatMap((message) =>
      message.role === 'assistant' ? [message.status] : [],
    ) ?? []
  const history = async (messageId: string) => {
    const begun = await store.begin(newTurn(messageId))
    return begun.kind === 'begun' ? begun.history : begun
  }

  describe('the trace of a turn', () => {
    const TRACED: TurnEnd = { ...answered('a'), trace: '{"attempts":[]}' }

    it('is there for its user and for the admins of the org once the turn has ended, and for nobody else', async () => {
      await store.create(newTurn('m1'), 'agent-1')
      expect(await store.readTrace('session-1', 'm1', OWNER)).to.deep.equal({ kind: 'none' })
      await store.finish('m1', TRACED, true)
      const told = { kind: 'trace', json: '{"attempts":[]}' }
      expect(await store.readTrace('session-1', 'm1', OWNER)).to.deep.equal(told)
      expect(await store.readTrace('session-1', 'm1', { orgId: 'acme' })).to.deep.equal(told)
      const strangers = [
        { orgId: 'acme', userId: 'user-2' },
        { orgId: 'other' },
        { ...OWNER, orgId: 'other' },
      ]
      for (const reader of strangers)
        expect(await store.readTrace('session-1', 'm1', reader), JSON.stringify(reader)).to.equal(undefined)
    })

    it('is that of the turn asked for, and none of a turn that nobody knows or that has none', async () => {
      await store.create(newTurn('m1'), 'agent-1')
      await store.finish('m1', TRACED, true)
      await turnTakenAndEnded('m2', answered('b'))
      await turnTakenAndEnded('m3', { ...TRACED, trace: '{"attempts":[3]}' })
      expect(await store.readTrace('session-1', 'm3', OWNER)).to.include({ json: '{"attempts":[3]}' })
      for (const unknown of ['m2', 'm4'])
        expect(await store.readTrace('session-1', unknown, OWNER)).to.deep.equal({ kind: 'none' })
      expect(await store.readTrace('session-2', 'm1', OWNER)).to.equal(undefined)
    })

    it('is the first end that was told', async () => {
      await store.create(newTurn('m1'), 'agent-1')
      await store.finish('m1', TRACED)
      await store.finish('m1', { ...TRACED, trace: '{}' })
      expect(await store.readTrace('session-1', 'm1', OWNER)).to.include({ json: TRACED.trace })
    })
  })

  describe('a conversation', () => {
    it('is read as its owner had it', async () => {
      await store.create(newTurn('m1', 'What is it?'), 'agent-1')
      clock.advance(1_000)
      await store.finish('m1', {
        status: 'answered',
        text: 'Forty-two.',
        executionMode: 'runtime_orchestrator',
      })
      await store.release('m1')
      clock.advance(1_000)
      await store.begin(newTurn('m2', 'Why?'))
      expect(await store.read('session-1', OWNER)).to.deep.equal({
        sessionId: 'session-1',
        agentId: 'agent-1',
        createdAt: '2026-01-01T00:00:00.000Z',
        updatedAt: '2026-01-01T00:00:02.000Z',
        messages: [
          { id: 'm1-user', role: 'user', content: 'What is it?', createdAt: '2026-01-01T00:00:00.000Z' },
          {
            id: 'm1',
            role: 'assistant',
            content: 'Forty-two.',
            status: 'answered',
            executionMode: 'runtime_orchestrator',
            createdAt: '2026-01-01T00:00:00.000Z',
          },
          { id: 'm2-user', role: 'user', content: 'Why?', createdAt: '2026-01-01T00:00:02.000Z' },
          {
            id: 'm2',
            role: 'assistant',
            content: '',
            status: 'running',
            createdAt: '2026-01-01T00:00:02.000Z',
          },
        ],
      })
    })

    it('is invisible to another org, another user and under another id', async () => {
      await store.create(newTurn('m1'), 'agent-1')
      for (const owner of [
        { orgId: 'other', userId: OWNER.userId },
        { orgId: OWNER.orgId, userId: 'other' },
      ]) {
        expect(await store.read('session-1', owner)).to.equal(undefined)
        expect(await store.requestStop('session-1', owner)).to.equal(undefined)
        expect(await store.begin({ ...newTurn('m2'), owner })).to.deep.equal({ kind: 'not_found' })
      }
      expect(await store.read('session-2', OWNER)).to.equal(undefined)
      expect(await store.requestStop('session-2', OWNER)).to.equal(undefined)
      expect((await store.begin({ ...newTurn('m2'), sessionId: 'session-2' })).kind).to.equal('not_found')
      expect(await statuses()).to.deep.equal(['running'])
    })

    it('is not created twice', async () => {
      await store.create(newTurn('m1'), 'agent-1')
      expect(await rejection(store.create(newTurn('m9'), 'agent-2'))).to.not.be.instanceOf(
        SessionStoreUnavailable,
      )
      await store.finish('m1', answered('a'))
      expect(await statuses()).to.deep.equal(['answered'])
    })

    it('takes its next turn at once when the end and the release are one', async () => {
      await store.create(newTurn('m1'), 'agent-1')
      await store.finish('m1', answered('a'), true)
      expect((await store.begin(newTurn('m2'))).kind).to.equal('begun')
      await store.release('m1')
      expect(await statuses()).to.deep.equal(['answered', 'running'])
    })

    it('keeps every kind of end', async () => {
      await store.create(newTurn('m0'), 'agent-1')
      await store.finish('m0', { status: 'stopped', text: 'par', executionMode: 'direct_llm' })
      await store.release('m0')
      await turnTakenAndEnded('m1', { status: 'failed', text: '', executionMode: 'direct_llm' })
      await turnTakenAndEnded('m2', { status: 'aborted', text: 'x', executionMode: 'runtime_orchestrator' })
      expect(await statuses()).to.deep.equal(['stopped', 'failed', 'aborted'])
    })

    it('keeps why an answer ended, where that was told', async () => {
      await store.create(newTurn('m1'), 'agent-1')
      await store.finish('m1', { ...answered('a'), finishReason: 'length' }, true)
      await turnTakenAndEnded('m2', answered('b'))
      const view = await store.read('session-1', OWNER)
      const told = view?.messages.map((message) => 'finishReason' in message && message.finishReason)
      expect(told).to.deep.equal([false, 'length', false, false])
    })

    it('keeps any text there is', async () => {
      const text = '你好 🦊 "quotes" \\ \u2028 line\r\nend '.repeat(500)
      await store.create(newTurn('m1', text), 'agent-1')
      await store.finish('m1', answered(text))
      const view = await store.read('session-1', OWNER)
      expect(view?.messages.map(({ content }) => content)).to.deep.equal([text, text])
    })

    it('keeps a text with NUL or half a surrogate pair as far as it can be kept', async () => {
      await store.create(newTurn('m1', 'a\0b'), 'agent-1')
      await store.finish('m1', answered('c\ud800d\0e'))
      const view = await store.read('session-1', OWNER)
      expect(view?.messages.map(({ content }) => content)).to.deep.equal(['a\ufffdb', 'c\ufffdd\ufffde'])
    })
  })

  describe('the running turn', () => {
    beforeEach(() => store.create(newTurn('m1'), 'agent-1'))

    it('keeps others out until it is released', async () => {
      expect(await store.begin(newTurn('m2'))).to.deep.equal({ kind: 'busy', releasing: false })
      await store.finish('m1', answered('a'))
      expect(await store.begin(newTurn('m2'))).to.deep.equal({ kind: 'busy', releasing: true })
      await store.release('m1')
      expect(await store.begin(newTurn('m2'))).to.deep.equal({
        kind: 'begun',
        agentId: 'agent-1',
        history: [{ message: 'question m1', text: 'a' }],
      })
      expect(await statuses()).to.deep.equal(['answered', 'running'])
    })

    it('is seen without a write: running, releasing, nobody', async () => {
      expect(await store.holder('session-1')).to.equal('running')
      await store.finish('m1', answered('a'))
      expect(await store.holder('session-1')).to.equal('releasing')
      clock.advance(RESERVATION_MS)
      expect(await store.holder('session-1')).to.equal('nobody')
      expect(await store.holder('session-2')).to.equal('nobody')
    })

    it('is told by its own id alone', async () => {
      expect(await store.renew('m2', 'x')).to.equal('lost')
      expect(await store.stopRequested('m2')).to.equal(false)
      await store.finish('m2', answered('x'))
      await store.release('m2')
      expect((await store.begin(newTurn('m2'))).kind).to.equal('busy')
    })

    it('holds its session for the time of one reservation after its last renewal', async () => {
      clock.advance(RESERVATION_MS - 1)
      expect(await store.renew('m1', 'so far')).to.equal('held')
      clock.advance(RESERVATION_MS - 1)
      expect(await statuses()).to.deep.equal(['running'])
      expect((await store.begin(newTurn('m2'))).kind).to.equal('busy')
      clock.advance(1)
      expect(await statuses()).to.deep.equal(['aborted'])
      expect(await history('m2')).to.deep.equal([{ message: 'question m1', text: 'so far' }])
      expect(await statuses()).to.deep.equal(['aborted', 'running'])
    })

    it('comes back from a pause as long as nobody took the session', async () => {
      clock.advance(RESERVATION_MS * 3)
      expect(await store.renew('m1', 'still here')).to.equal('held')
      expect(await statuses()).to.deep.equal(['running'])
    })

    it('keeps its partial text at each renewal', async () => {
      await store.renew('m1', 'Forty')
      const view = await store.read('session-1', OWNER)
      expect(view?.messages[1]).to.include({ content: 'Forty', status: 'running' })
    })

    it('is aborted when it is released without an end', async () => {
      await store.renew('m1', 'half')
      await store.release('m1')
      expect(await statuses()).to.deep.equal(['aborted'])
      expect(await history('m2')).to.deep.equal([{ message: 'question m1', text: 'half' }])
    })

    it('ends once: the first end counts and nothing renews it', async () => {
      await store.finish('m1', answered('first'))
      await store.finish('m1', { status: 'failed', text: 'second', executionMode: 'runtime_orchestrator' })
      expect(await store.renew('m1', 'third')).to.equal('lost')
      const view = await store.read('session-1', OWNER)
      expect(view?.messages[1]).to.include({
        content: 'first',
        status: 'answered',
        executionMode: 'direct_llm',
      })
    })

    it('releases its session the time of a reservation after its end even where nobody does', async () => {
      clock.advance(RESERVATION_MS - 1)
      await store.finish('m1', answered('a'))
      clock.advance(RESERVATION_MS - 1)
      expect(await store.begin(newTurn('m2'))).to.deep.equal({ kind: 'busy', releasing: true })
      clock.advance(1)
      expect((await store.begin(newTurn('m2'))).kind).to.equal('begun')
      expect(await statuses()).to.deep.equal(['answered', 'running'])
    })
  })

  describe('a turn that was taken over', () => {
    beforeEach(async () => {
      await store.create(newTurn('m1'), 'agent-1')
      clock.advance(RESERVATION_MS)
      await store.begin(newTurn('m2'))
    })

    it('is lost and cannot disturb the new one', async () => {
      expect(await store.renew('m1', 'late')).to.equal('lost')
      await store.finish('m1', { status: 'aborted', text: '', executionMode: 'direct_llm' })
      await store.release('m1')
      expect(await store.begin(newTurn('m3'))).to.deep.equal({ kind: 'busy', releasing: false })
      expect(await store.renew('m2', 'mine')).to.equal('held')
      expect(await statuses()).to.deep.equal(['aborted', 'running'])
    })

    it('still keeps the answer its reader got', async () => {
      await store.finish('m1', answered('late'))
      await store.finish('m2', answered('second'))
      await store.release('m2')
      expect(await statuses()).to.deep.equal(['answered', 'answered'])
      expect(await history('m3')).to.deep.equal([
        { message: 'question m1', text: 'late' },
        { message: 'question m2', text: 'second' },
      ])
    })
  })

  describe('stop', () => {
    beforeEach(() => store.create(newTurn('m1'), 'agent-1'))

    it('marks the running turn, seen at a look and at a renewal', async () => {
      expect(await store.stopRequested('m1')).to.equal(false)
      expect(await store.requestStop('session-1', OWNER)).to.deep.equal({ stopped: true, messageId: 'm1' })
      expect(await store.stopRequested('m1')).to.equal(true)
      expect(await store.renew('m1', 'x')).to.equal('stop_requested')
      expect(await store.requestStop('session-1', OWNER)).to.deep.equal({ stopped: true, messageId: 'm1' })
    })

    it('finds nothing to stop once the turn ended, was released or its replica died', async () => {
      await store.finish('m1', answered('a'))
      expect(await store.requestStop('session-1', OWNER)).to.deep.equal({ stopped: false })
      await store.release('m1')
      expect(await store.requestStop('session-1', OWNER)).to.deep.equal({ stopped: false })
      await store.begin(newTurn('m2'))
      clock.advance(RESERVATION_MS)
      expect(await store.requestStop('session-1', OWNER)).to.deep.equal({ stopped: false })
    })

    it('frees a session whose replica left the mark alone', async () => {
      await store.requestStop('session-1', OWNER)
      clock.advance(RESERVATION_MS / 5 - 1)
      expect((await store.begin(newTurn('m2'))).kind).to.equal('busy')
      clock.advance(1)
      expect(await store.holder('session-1')).to.equal('nobody')
      expect((await store.begin(newTurn('m2'))).kind).to.equal('begun')
      expect(await store.renew('m1', 'late')).to.equal('lost')
      expect(await statuses()).to.deep.equal(['aborted', 'running'])
    })

    it('frees nothing where the replica lives', async () => {
      await store.requestStop('session-1', OWNER)
      for (let second = 0; second < 6; second += 1) {
        clock.advance(RESERVATION_MS / 6)
        expect(await store.renew('m1', 'x')).to.equal('stop_requested')
      }
      expect(await store.holder('session-1')).to.equal('running')
    })

    it('does not reach the next turn', async () => {
      await store.requestStop('session-1', OWNER)
      await store.finish('m1', { status: 'stopped', text: 'a', executionMode: 'direct_llm' })
      await store.release('m1')
      await store.begin(newTurn('m2'))
      expect(await store.stopRequested('m2')).to.equal(false)
      expect(await store.renew('m2', '')).to.equal('held')
    })
  })

  describe('the history for a backend', () => {
    beforeEach(async () => {
      await store.create(newTurn('m0', 'q'), 'agent-1')
      await store.finish('m0', answered('a'))
      await store.release('m0')
    })

    it('leaves out turns without text, oldest first', async () => {
      await turnTakenAndEnded('m1', { status: 'failed', text: '', executionMode: 'direct_llm' })
      await turnTakenAndEnded('m2', { status: 'stopped', text: 'part', executionMode: 'direct_llm' })
      expect(await history('m3')).to.deep.equal([
        { message: 'q', text: 'a' },
        { message: 'question m2', text: 'part' },
      ])
    })

    it('leaves out an answer nobody can see', async () => {
      await turnTakenAndEnded('m1', { status: 'stopped', text: '\n\n \u200b', executionMode: 'direct_llm' })
      expect(await history('m2')).to.deep.equal([{ message: 'q', text: 'a' }])
    })

    it('keeps the newest turns within the budget and steps over one that never fits', async () => {
      for (const id of ['m1', 'm2']) await turnTakenAndEnded(id, answered('x'.repeat(29)))
      await turnTakenAndEnded('m3', answered('y'.repeat(100)))
      await turnTakenAndEnded('m4', answered('z'.repeat(9)))
      // 40 + 40 + 20 characters: the budget of 100 to the last
      expect(await history('m5')).to.deep.equal([
        { message: 'question m1', text: 'x'.repeat(29) },
        { message: 'question m2', text: 'x'.repeat(29) },
        { message: 'question m4', text: 'z'.repeat(9) },
      ])
    })

    it('counts UTF-16 code units', async () => {
      // 11 + 2 × 45 = 101 code units, though 56 characters of text
      await turnTakenAndEnded('m1', answered('🦊'.repeat(45)))
      expect(await history('m2')).to.deep.equal([{ message: 'q', text: 'a' }])
    })
  })

  describe('the list of a user', () => {
    const created = async (sessionId: string, message = 'Hello', owner = OWNER): Promise<void> => {
      await store.create({ sessionId, messageId: `m-${sessionId}`, owner, message }, 'agent-1')
      clock.advance(1_000)
    }

    it('has the own sessions alone, the newest first', async () => {
      await created('s1', 'What is it?')
      await created('s2')
      await created('s3', 'Not yours', { orgId: 'acme', userId: 'user-2' })
      await created('s4', 'Nor yours', { orgId: 'globex', userId: 'user-1' })
      await store.finish('m-s1', answered('Forty-two.'), true)
      const [first, second, ...more] = await store.list(OWNER, 10)
      expect(more).to.deep.equal([])
      const start = Date.parse('2026-01-01T00:00:00.000Z')
      expect(first).to.deep.include({ sessionId: 's2', createdAt: start + 1_000, updatedAt: start + 1_000 })
      expect(second).to.deep.equal({
        sessionId: 's1',
        agentId: 'agent-1',
        createdAt: start,
        updatedAt: start + 4_000,
        turns: 1,
        title: 'What is it?',
      })
    })

    it('is read page by page without a gap or a repetition, also where sessions come meanwhile', async () => {
      for (const id of ['s1', 's2', 's3', 's4']) await created(id)
      // two of the same ms
      await store.create({ sessionId: 's5', messageId: 'm5', owner: OWNER, message: 'a' }, 'agent-1')
      await store.create({ sessionId: 's6', messageId: 'm6', owner: OWNER, message: 'a' }, 'agent-1')
      const seen: string[] = []
      let before: { createdAt: number; sessionId: string } | undefined
      for (;;) {
        const page = await store.list(OWNER, 2, before)
        if (page.length === 0) break
        seen.push(...page.map(({ sessionId }) => sessionId))
        before = page.at(-1)
        clock.advance(1_000)
        await created(`late-${seen.length}`)
      }
      expect(seen).to.deep.equal(['s6', 's5', 's4', 's3', 's2', 's1'])
    })

    it('shortens a title by whole characters', async () => {
      await created('s1', '😀'.repeat(150))
      const [only] = await store.list(OWNER, 1)
      expect(only?.title).to.equal('😀'.repeat(100))
    })
  })

  describe('an erased session', () => {
    beforeEach(() => store.create(newTurn('m1', 'secret'), 'agent-1'))

    it('is gone, with all its turns, for its owner alone', async () => {
      await turnTaken('m1')
      await turnTakenAndEnded('m2', answered('b'))
      expect(await store.delete('session-1', { orgId: 'acme', userId: 'user-2' })).to.equal(false)
      expect(await store.delete('session-1', { orgId: 'globex', userId: 'user-1' })).to.equal(false)
      expect((await store.read('session-1', OWNER))?.messages).to.have.length(4)
      expect(await store.delete('session-1', OWNER)).to.equal(true)
      expect(await store.read('session-1', OWNER)).to.equal(undefined)
      expect(await store.list(OWNER, 10)).to.deep.equal([])
      expect(await store.begin(newTurn('m3'))).to.deep.equal({ kind: 'not_found' })
      expect(await store.delete('session-1', OWNER)).to.equal(false)
    })

    it('takes its running turn with it: that is lost, and its end is kept nowhere', async () => {
      expect(await store.delete('session-1', OWNER)).to.equal(true)
      expect(await store.holder('session-1')).to.equal('nobody')
      expect(await store.renew('m1', 'partial')).to.equal('lost')
      const other = { sessionId: 'session-2', messageId: 'm9', owner: OWNER, message: 'other' }
      await store.create(other, 'agent-1')
      await store.finish('m1', answered('of the erased one'), true)
      const view = await store.read('session-2', OWNER)
      expect(view?.messages.map(({ content }) => content)).to.deep.equal(['other', ''])
      expect(view?.messages[1]).to.include({ status: 'running' })
      expect(await store.read('session-1', OWNER)).to.equal(undefined)
    })

    it('may have been long', async () => {
      await turnTaken('m1')
      for (let turn = 2; turn <= 450; turn += 1) await turnTakenAndEnded(`m${turn}`, answered('x'))
      expect(await store.delete('session-1', OWNER)).to.equal(true)
      expect(await store.read('session-1', OWNER)).to.equal(undefined)
    })
  })

  it('refuses everything once closed, also when closed twice', async () => {
    await store.create(newTurn('m1'), 'agent-1')
    await store.close()
    await store.close()
    for (const call of [
      store.create({ ...newTurn('m2'), sessionId: 'session-2' }, 'agent-1'),
      store.begin(newTurn('m2')),
      store.renew('m1', ''),
      store.stopRequested('m1'),
      store.finish('m1', answered('')),
      store.release('m1'),
      store.requestStop('session-1', OWNER),
      store.read('session-1', OWNER),
      store.list(OWNER, 10),
      store.delete('session-1', OWNER),
    ]) {
      expect(await rejection(call)).to.be.instanceOf(SessionStoreUnavailable)
    }
  })
}
