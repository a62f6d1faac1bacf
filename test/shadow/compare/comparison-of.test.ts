import { expect } from 'chai'
import type { Outcome } from '../../../src/execution/outcome.js'
import type { MessageBody } from '../../../src/protocol/events.js'
import {
  type ComparedTurn,
  comparisonOf,
  type EndedOutcome,
  isEnded,
} from '../../../src/shadow/compare/comparison-of.js'
import { MAX_TEXT, Observer } from '../../../src/shadow/compare/observer.js'
import { sampleTurn } from '../../support/sample-turn.js'

const outcome = (part: object = {}): EndedOutcome => {
  const ended = {
    mode: 'direct_llm',
    result: 'ok',
    orgId: 'o',
    agentId: 'a',
    startedAt: 5,
    latencyMs: 900,
    ...part,
  }
  return ended as EndedOutcome
}
const aborted = { result: 'aborted', code: 'client_gone' } as const
const LEFT = {
  mode: 'direct_llm',
  orgId: 'o',
  agentId: 'a',
  startedAt: 5,
  latencyMs: 900,
  ...aborted,
} as const

function observer(...events: MessageBody[]): Observer {
  const watching = new Observer()
  watching.saw(events)
  return watching
}
const text = (content: string): MessageBody => ({ type: 'text', data: { content } })
const step = (title: string): MessageBody => ({
  type: 'plan_step',
  data: { stepId: title, title, status: 'running' },
})

const compared = (part: Partial<ComparedTurn> = {}): ComparedTurn => ({
  turn: sampleTurn({ message: 'a'.repeat(40) }),
  kind: 'ab',
  aaPercent: 5,
  at: 77,
  replica: 'r1',
  control: { outcome: outcome(), observer: observer(text('good day')) },
  candidate: {
    outcome: outcome({ mode: 'runtime_orchestrator', firstContentMs: 30, latencyMs: 800 }),
    observer: observer(text('good day you'), step('look')),
  },
  fenceViolations: 2,
  ...part,
})

describe('a kept comparison', () => {
  it('tells of the turn, both sides and how alike they are', () => {
    expect(comparisonOf(compared(), false)).to.deep.equal({
      at: 77,
      replica: 'r1',
      orgId: 'org-1',
      sessionId: 'session-1',
      messageId: 'message-1',
      userId: 'user-1',
      agentId: 'agent-1',
      kind: 'ab',
      aaPercent: 5,
      control: {
        mode: 'direct_llm',
        result: 'ok',
        latencyMs: 900,
        tokens: 12,
        characters: 8,
        steps: 0,
        calls: 0,
      },
      candidate: {
        mode: 'runtime_orchestrator',
        result: 'ok',
        latencyMs: 800,
        firstContentMs: 30,
        tokens: 13,
        characters: 12,
        steps: 1,
        calls: 0,
      },
      textSimilarity: 1 - 1 / 3,
      planSimilarity: 0,
      fenceViolations: 2,
    })
  })

  it('takes the backends’ own counts of tokens where both count, and estimates both elsewhere', () => {
    const both = comparisonOf(
      compared({
        control: { outcome: outcome({ tokens: 100 }), observer: observer() },
        candidate: { outcome: outcome({ tokens: 200 }), observer: observer() },
      }),
      false,
    )
    expect([both.control.tokens, both.candidate.tokens]).to.deep.equal([100, 200])
    for (const counted of [[100, undefined] as const, [undefined, 100] as const]) {
      const [control, candidate] = counted.map((tokens) => ({
        outcome: outcome(tokens === undefined ? {} : { tokens }),
        observer: observer(text('中文')),
      }))
      if (control === undefined || candidate === undefined) throw new Error('two sides')
      const one = comparisonOf(compared({ control, candidate }), false)
      expect([one.control.tokens, one.candidate.tokens]).to.deep.equal([12, 12])
    }
  })

  it('says why a side failed', () => {
    const failed = outcome({ result: 'timeout', code: 'gap_timeout', phase: 'streaming' })
    const { candidate } = comparisonOf(
      compared({ candidate: { outcome: failed, observer: observer() } }),
      false,
    )
    expect(candidate).to.include({ result: 'timeout', code: 'gap_timeout' })
  })

  it('says nothing of likeness and keeps no content where the user left', () => {
    const left = comparisonOf(
      compared({ control: { outcome: LEFT, observer: observer(text('good day')) } }),
      true,
    )
    expect(left.control.result).to.equal('aborted')
    expect(left).to.not.have.any.keys('textSimilarity', 'planSimilarity', 'content')
  })

  it('keeps content where it is asked to, redacted, and not the torn end of a long one', () => {
    const kept = comparisonOf(
      compared({
        control: { outcome: outcome(), observer: observer(text('write to ada@example.com')) },
        candidate: { outcome: outcome(), observer: observer(text('x'.repeat(MAX_TEXT)), text('more')) },
      }),
      true,
    )
    expect(kept.content?.control).to.equal('write to [email]')
    expect(kept.content?.candidate).to.match(/^x+$/)
    expect(comparisonOf(compared(), false)).to.not.have.property('content')
  })

  it('is made of those that ended by themselves', () => {
    expect((['ok', 'error', 'timeout'] as const).map((result) => isEnded(outcome({ result })))).to.deep.equal(
      [true, true, true],
    )
    expect(isEnded(LEFT)).to.equal(false)
    const refused: Outcome = { ...LEFT, result: 'rejected', code: 'llm_bad_request', phase: 'headers' }
    expect(isEnded(refused)).to.equal(false)
  })
})
