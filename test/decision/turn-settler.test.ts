import { ErrorCode } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import { createTurnDefaults } from '../../src/decision/code-defaults.js'
import { FlagFaults } from '../../src/decision/flag-faults.js'
import { RefusedFlags } from '../../src/decision/refused-flags.js'
import { TurnSettler } from '../../src/decision/turn-settler.js'
import { answer, failure, nobody, noVariant, turnDetails } from '../support/flag-details.js'
import { CODE_DEFAULTS, callerOf } from '../support/flag-files.js'
import { manualClock } from '../support/manual-clock.js'

function setUp({ stale = false, whenAbsent = 'away' as 'away' | 'default' } = {}) {
  const clock = manualClock()
  const faults = new FlagFaults(clock, silentLogger)
  const source = { stale }
  const settler = new TurnSettler(
    createTurnDefaults(CODE_DEFAULTS),
    { isStale: () => source.stale, whenAbsent: (found) => (found ? 'default' : whenAbsent) },
    new RefusedFlags(faults, clock),
  )
  return { settler, faults, source }
}

const me = callerOf(1)
const stranger = callerOf(2, 'org-2')

describe("a turn's flags", () => {
  it('are the values as answered', () => {
    const { settler } = setUp()
    const flags = settler.settle(me, turnDetails({ mode: answer('runtime_orchestrator', 'TARGETING_MATCH') }))
    expect(flags).to.deep.include({
      mode: { value: 'runtime_orchestrator', reason: 'targeting_match' },
      shadow: true,
      override: { on: false },
      profile: { model: 'm' },
    })
    expect(flags.guardrails).to.include({ gapMs: 7000, totalMs: 300_000 })
  })

  it('are the code defaults where the flags have no say', () => {
    const { settler } = setUp()
    settler.settle(me, turnDetails())
    const flags = settler.settle(
      me,
      turnDetails({ mode: noVariant('direct_llm'), shadow: noVariant(false), guardrails: noVariant({}) }),
    )
    expect(flags).to.deep.include({ mode: { value: 'direct_llm', reason: 'code_default' }, shadow: false })
    expect(flags.guardrails.gapMs).to.equal(60_000)
  })

  it('are the last known good ones when nobody answers, and say stale', () => {
    const { settler } = setUp()
    settler.settle(me, turnDetails({ override: answer(true) }))
    for (const away of [{}, nobody(), nobody(ErrorCode.PROVIDER_NOT_READY)]) {
      const flags = settler.settle(me, away)
      expect(flags).to.deep.include({
        mode: { value: 'runtime_orchestrator', reason: 'stale' },
        shadow: true,
        override: { on: true },
      })
      expect(flags.guardrails.gapMs).to.equal(7000)
    }
  })

  it('carry the revision of the override, and are the same object while nothing changes', () => {
    const { settler } = setUp()
    const guardrails = answer({ gapMs: 7000 })
    const at = (revision: number) =>
      turnDetails({ guardrails, override: { ...answer(true), flagMetadata: { revision } } })
    const first = settler.settle(me, at(3))
    expect(first.override).to.deep.equal({ on: true, revision: 3 })
    expect(settler.settle(me, at(3))).to.equal(first)
    expect(settler.settle(stranger, at(3)).override).to.equal(first.override)
    expect(settler.settle(me, at(4)).override.revision).to.equal(4)
    expect(settler.settle(me, {}).override.revision, 'as last known').to.equal(4)
    const disabled = { ...noVariant(false), flagMetadata: { revision: 5 } }
    expect(settler.settle(me, turnDetails({ override: disabled })).override).to.deep.equal({
      on: false,
      revision: 5,
    })
  })

  it('are remembered for each session, which stays on its side', () => {
    const { settler } = setUp()
    settler.settle(callerOf(1), turnDetails())
    settler.settle(callerOf(2), turnDetails({ mode: answer('direct_llm'), override: answer(true) }))
    expect(settler.recall(callerOf(1))).to.deep.include({
      mode: { value: 'runtime_orchestrator', reason: 'stale' },
      override: { on: false },
    })
    expect(settler.recall(callerOf(2))).to.deep.include({
      mode: { value: 'direct_llm', reason: 'stale' },
      override: { on: true },
    })
  })

  it('stay the code default when that was the last thing known', () => {
    const { settler } = setUp()
    settler.settle(me, turnDetails())
    settler.settle(me, turnDetails({ mode: noVariant('direct_llm') }))
    expect(settler.settle(me, {}).mode).to.deep.equal({ value: 'direct_llm', reason: 'code_default' })
  })

  it('are the code defaults for a caller never seen, when nobody answers', () => {
    const { settler } = setUp()
    settler.settle(me, turnDetails())
    const flags = settler.recall(stranger)
    expect(flags).to.deep.include({ mode: { value: 'direct_llm', reason: 'code_default' }, shadow: false })
    expect(flags.guardrails.gapMs).to.equal(60_000)
    expect(settler.recall(me).mode).to.deep.equal({ value: 'runtime_orchestrator', reason: 'stale' })
  })

  it('say stale for what the provider only remembers', () => {
    const { settler } = setUp({ stale: true })
    expect(settler.settle(me, turnDetails()).mode.reason).to.equal('stale')
    expect(settler.settle(me, turnDetails({ mode: noVariant('direct_llm') })).mode.reason).to.equal(
      'code_default',
    )
  })

  it('are the code default for a flag its owner took away, the last known one when all are gone', () => {
    const { settler } = setUp()
    settler.settle(me, turnDetails())
    expect(settler.settle(me, turnDetails({ mode: failure('direct_llm') })).mode.reason).to.equal(
      'code_default',
    )
    settler.settle(me, turnDetails())
    expect(settler.settle(me, nobody()).mode.reason).to.equal('stale')
  })

  it('keep the last good object of the org and the agent when a value is refused', () => {
    const { settler, faults } = setUp()
    settler.settle(me, turnDetails())
    const refused = turnDetails({ guardrails: answer({ gapMs: 'x' }), profile: answer({ model: 3 }) })
    const flags = settler.settle(callerOf(3), refused)
    expect(flags.guardrails.gapMs).to.equal(7000)
    expect(flags.profile.model).to.equal('m')
    expect(faults.list().map(({ where }) => where)).to.deep.equal([
      'chat-runtime-guardrails',
      'chat-agent-profile',
    ])
  })

  it('keep the newest good object, also when it is an earlier one again', () => {
    const { settler } = setUp()
    const [a, b] = [answer({ gapMs: 1 }), answer({ gapMs: 2 })]
    settler.settle(callerOf(1), turnDetails({ guardrails: a }))
    settler.settle(callerOf(2), turnDetails({ guardrails: b }))
    settler.settle(callerOf(1), turnDetails({ guardrails: a }))
    const flags = settler.settle(callerOf(3), turnDetails({ guardrails: answer({ gapMs: 'x' }) }))
    expect(flags.guardrails.gapMs).to.equal(1)
  })

  it('keep the last known mode when a value is none, or the evaluation failed', () => {
    const { settler, faults } = setUp()
    settler.settle(me, turnDetails())
    for (const mode of [answer('runtime'), failure('direct_llm', ErrorCode.PARSE_ERROR)])
      expect(settler.settle(me, turnDetails({ mode })).mode).to.deep.equal({
        value: 'runtime_orchestrator',
        reason: 'stale',
      })
    expect(faults.list()).to.have.length(1)
  })

  it('come from a late answer only for a caller nothing newer is known of', () => {
    const { settler } = setUp()
    settler.settle(me, turnDetails({ mode: answer('direct_llm') }))
    settler.settleLate(me, turnDetails())
    settler.settleLate(stranger, turnDetails())
    expect(settler.recall(me).mode.value).to.equal('direct_llm')
    expect(settler.recall(stranger).mode.value).to.equal('runtime_orchestrator')
  })
})
