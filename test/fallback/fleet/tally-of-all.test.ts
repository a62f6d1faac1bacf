import { expect } from 'chai'
import fc from 'fast-check'
import type { Outcome } from '../../../src/execution/outcome.js'
import {
  executionsOf,
  OwnTally,
  parseEvidence,
  renderEvidence,
} from '../../../src/fallback/fleet/tally-of-all.js'
import { EXECUTION_MODES } from '../../../src/protocol/modes.js'

const ended = fc.oneof(
  fc.constant({ result: 'ok' as const }),
  fc.constant({ result: 'error' as const, code: 'runtime_error' as const, phase: 'headers' as const }),
  fc.constant({ result: 'timeout' as const, code: 'runtime_timeout' as const, phase: 'headers' as const }),
  fc.constant({ result: 'aborted' as const, code: 'client_gone' as const }),
)
const outcome: fc.Arbitrary<Outcome> = fc
  .tuple(
    ended,
    fc.record({
      mode: fc.constantFrom(...EXECUTION_MODES),
      orgId: fc.nat(200).map((n) => `org-${n}`),
      agentId: fc.constantFrom('a', 'b'),
      sessionId: fc.nat(9).map((n) => `session-${n}`),
      startedAt: fc.integer({ min: 0, max: 60_000 }),
      latencyMs: fc.nat(300_000),
      firstContentMs: fc.integer({ min: 1, max: 300_000 }),
    }),
  )
  .map(([result, rest]) => ({ ...rest, ...result }))

const NOW = 100_000
const VIEW = { sawTurn: true, bad: false }

/** What another replica makes of them. */
function received(outcomes: readonly Outcome[], delayMs = 0): Outcome[] {
  const tally = new OwnTally()
  for (const one of outcomes) tally.add(one)
  const message = parseEvidence(renderEvidence('r1', VIEW, tally.take(NOW)))
  if (message === undefined) throw new Error('no message')
  return executionsOf(message, NOW, delayMs)
}

const count = (outcomes: readonly Outcome[], by: (one: Outcome) => string): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const one of outcomes) counts[by(one)] = (counts[by(one)] ?? 0) + 1
  return counts
}
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const judged = (outcomes: readonly Outcome[]) => outcomes.filter(({ result }) => result !== 'aborted')

describe('the executions of other replicas', () => {
  it('add up to what was recorded there', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 400 }), (outcomes) => {
        const there = judged(outcomes)
        const here = received(outcomes)
        const kind = ({ mode, result }: Outcome) => `${mode} ${result}`
        expect(count(here, kind)).to.deep.equal(count(there, kind))
        const latency = (all: readonly Outcome[]) => sum(all.map(({ latencyMs }) => latencyMs))
        expect(latency(here)).to.be.closeTo(latency(there), 1e-6 * (1 + latency(there)))
        const rising = (all: readonly Outcome[]) =>
          all.map((one) => one.firstContentMs ?? 0).sort((a, b) => a - b)
        const [ours, theirs] = [rising(here), rising(there)]
        for (const [at, ms] of theirs.entries()) expect(ours[at]).to.be.within(ms * 0.98, ms * 1.02)
      }),
    )
  })

  it('name up to 64 pairs of org and agent exactly, those that fail before the others', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 400 }), (outcomes) => {
        const pair = ({ orgId, agentId, result }: Outcome) => `${orgId} ${agentId} ${result}`
        const there = count(judged(outcomes), pair)
        const here = received(outcomes)
        const named = count(
          here.filter(({ orgId }) => orgId !== ''),
          pair,
        )
        for (const [key, many] of Object.entries(named)) expect(many).to.equal(there[key])
        const failing = new Set(
          judged(outcomes)
            .filter(({ result }) => result !== 'ok')
            .map(({ orgId, agentId }) => `${orgId} ${agentId}`),
        )
        const isAnyHidden = here.some(({ orgId, result }) => orgId === '' && result !== 'ok')
        if (failing.size <= 64) expect(isAnyHidden).to.equal(false)
      }),
    )
  })

  it('begin no later than there, and fail before they succeed', () => {
    fc.assert(
      fc.property(fc.array(outcome, { minLength: 1, maxLength: 50 }), fc.nat(5_000), (outcomes, delayMs) => {
        const here = received(outcomes, delayMs)
        const earliest = Math.min(...judged(outcomes).map(({ startedAt }) => startedAt))
        if (here.length > 0) {
          const first = Math.min(...here.map(({ startedAt }) => startedAt))
          expect(first).to.be.closeTo(earliest - delayMs, 1e-6)
        }
        const firstOk = here.findIndex(({ result }) => result === 'ok')
        if (firstOk >= 0) expect(here.slice(firstOk).every(({ result }) => result === 'ok')).to.equal(true)
      }),
    )
  })

  it('are nothing where a message is none of ours, or holds absurdly many', () => {
    expect(parseEvidence('{')).to.equal(undefined)
    expect(parseEvidence('{"replica":"r"}')).to.equal(undefined)
    const tally = new OwnTally()
    const [one] = fc.sample(
      outcome.filter(({ result }) => result === 'ok'),
      1,
    )
    if (one !== undefined) tally.add(one)
    const groups = tally.take(NOW)
    const grown = groups.flatMap((group) => [
      { ...group, count: 90_000 },
      { ...group, count: 90_000 },
    ])
    expect(parseEvidence(renderEvidence('r', VIEW, groups))).not.to.equal(undefined)
    expect(parseEvidence(renderEvidence('r', VIEW, grown))).to.equal(undefined)
  })
})
