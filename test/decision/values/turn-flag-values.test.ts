import { ErrorCode } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { silentLogger } from '../../../src/core/logger.js'
import { NOBODY } from '../../../src/decision/caller.js'
import { createTurnDefaults } from '../../../src/decision/code-defaults.js'
import { FlagFaults } from '../../../src/decision/flag-faults.js'
import { KeptFlags } from '../../../src/decision/values/kept-flags.js'
import { RefusedFlags } from '../../../src/decision/values/refused-flags.js'
import { TurnFlagValues } from '../../../src/decision/values/turn-flag-values.js'
import { answer, failure, nobody, noVariant, turnDetails } from '../../support/flag-details.js'
import { CODE_DEFAULTS, callerOf } from '../../support/flag-files.js'
import { manualClock } from '../../support/manual-clock.js'

function setUp({ stale = false, whenAbsent = 'away' as 'away' | 'default' } = {}) {
  const clock = manualClock()
  const faults = new FlagFaults(clock, silentLogger)
  const source = { stale }
  const flagValues = new TurnFlagValues(
    createTurnDefaults(CODE_DEFAULTS),
    { isStale: () => source.stale, whenAbsent: (found) => (found ? 'default' : whenAbsent) },
    new RefusedFlags(faults, clock),
    new KeptFlags(undefined, clock),
  )
  return { flagValues, faults, source }
}

const me = callerOf(1)
const stranger = callerOf(2, 'org-2')

describe("a turn's flags", () => {
  it('are the values as answered', () => {
    const { flagValues } = setUp()
    const flags = flagValues.resolve(
      me,
      turnDetails({ mode: answer('runtime_orchestrator', 'TARGETING_MATCH') }),
    )
    expect(flags).to.deep.include({
      mode: { value: 'runtime_orchestrator', reason: 'targeting_match' },
      shadow: true,
      override: { on: false },
      profile: { model: 'm' },
    })
    expect(flags.guardrails).to.include({ gapMs: 7000, totalMs: 300_000 })
  })

  it('are the code defaults where the flags have no say', () => {
    const { flagValues } = setUp()
    flagValues.resolve(me, turnDetails())
    const flags = flagValues.resolve(
      me,
      turnDetails({ mode: noVariant('direct_llm'), shadow: noVariant(false), guardrails: noVariant({}) }),
    )
    expect(flags).to.deep.include({ mode: { value: 'direct_llm', reason: 'code_default' }, shadow: false })
    expect(flags.guardrails.gapMs).to.equal(60_000)
  })

  it('are the last known good ones when nobody answers, and say stale', () => {
    const { flagValues } = setUp()
    flagValues.resolve(me, turnDetails({ override: answer(true) }))
    for (const away of [{}, nobody(), nobody(ErrorCode.PROVIDER_NOT_READY)]) {
      const flags = flagValues.resolve(me, away)
      expect(flags).to.deep.include({
        mode: { value: 'runtime_orchestrator', reason: 'stale' },
        shadow: true,
        override: { on: true },
      })
      expect(flags.guardrails.gapMs).to.equal(7000)
    }
  })

  it('carry the revision of the override, and are the same object while nothing changes', () => {
    const { flagValues } = setUp()
    const guardrails = answer({ gapMs: 7000 })
    const at = (revision: number) =>
      turnDetails({ guardrails, override: { ...answer(true), flagMetadata: { revision } } })
    const first = flagValues.resolve(me, at(3))
    expect(first.override).to.deep.equal({ on: true, revision: 3 })
    expect(flagValues.resolve(me, at(3))).to.equal(first)
    expect(flagValues.resolve(stranger, at(3)).override).to.equal(first.override)
    expect(flagValues.resolve(me, at(4)).override.revision).to.equal(4)
    expect(flagValues.resolve(me, {}).override.revision, 'as last known').to.equal(4)
    const disabled = { ...noVariant(false), flagMetadata: { revision: 5 } }
    expect(flagValues.resolve(me, turnDetails({ override: disabled })).override).to.deep.equal({
      on: false,
      revision: 5,
    })
  })

  it('are remembered for each session, which stays on its side', () => {
    const { flagValues } = setUp()
    flagValues.resolve(callerOf(1), turnDetails())
    flagValues.resolve(callerOf(2), turnDetails({ mode: answer('direct_llm'), override: answer(true) }))
    expect(flagValues.recall(callerOf(1))).to.deep.include({
      mode: { value: 'runtime_orchestrator', reason: 'stale' },
      override: { on: false },
    })
    expect(flagValues.recall(callerOf(2))).to.deep.include({
      mode: { value: 'direct_llm', reason: 'stale' },
      override: { on: true },
    })
  })

  it('stay the code default when that was the last thing known', () => {
    const { flagValues } = setUp()
    flagValues.resolve(me, turnDetails())
    flagValues.resolve(me, turnDetails({ mode: noVariant('direct_llm') }))
    expect(flagValues.resolve(me, {}).mode).to.deep.equal({ value: 'direct_llm', reason: 'code_default' })
  })

  it('say stale for what the provider only remembers', () => {
    const { flagValues } = setUp({ stale: true })
    expect(flagValues.resolve(me, turnDetails()).mode.reason).to.equal('stale')
    expect(flagValues.resolve(me, turnDetails({ mode: noVariant('direct_llm') })).mode.reason).to.equal(
      'code_default',
    )
  })

  it('are the code default for a flag its owner took away, the last known one when all are gone', () => {
    const { flagValues } = setUp()
    flagValues.resolve(me, turnDetails())
    expect(flagValues.resolve(me, turnDetails({ mode: failure('direct_llm') })).mode.reason).to.equal(
      'code_default',
    )
    flagValues.resolve(me, turnDetails())
    expect(flagValues.resolve(me, nobody()).mode.reason).to.equal('stale')
  })

  it('keep the last good object of the org and the agent when a value is refused', () => {
    const { flagValues, faults } = setUp()
    flagValues.resolve(me, turnDetails())
    const refused = turnDetails({ guardrails: answer({ gapMs: 'x' }), profile: answer({ model: 3 }) })
    const flags = flagValues.resolve(callerOf(3), refused)
    expect(flags.guardrails.gapMs).to.equal(7000)
    expect(flags.profile.model).to.equal('m')
    expect(faults.list().map(({ where }) => where)).to.deep.equal([
      'chat-runtime-guardrails',
      'chat-agent-profile',
    ])
  })

  it('keep the newest good object, also when it is an earlier one again', () => {
    const { flagValues } = setUp()
    const [a, b] = [answer({ gapMs: 1 }), answer({ gapMs: 2 })]
    flagValues.resolve(callerOf(1), turnDetails({ guardrails: a }))
    flagValues.resolve(callerOf(2), turnDetails({ guardrails: b }))
    flagValues.resolve(callerOf(1), turnDetails({ guardrails: a }))
    const flags = flagValues.resolve(callerOf(3), turnDetails({ guardrails: answer({ gapMs: 'x' }) }))
    expect(flags.guardrails.gapMs).to.equal(1)
  })

  it('keep the last known mode when a value is none, or the evaluation failed', () => {
    const { flagValues, faults } = setUp()
    flagValues.resolve(me, turnDetails())
    for (const mode of [answer('runtime'), failure('direct_llm', ErrorCode.PARSE_ERROR)])
      expect(flagValues.resolve(me, turnDetails({ mode })).mode).to.deep.equal({
        value: 'runtime_orchestrator',
        reason: 'stale',
      })
    expect(faults.list()).to.have.length(1)
  })

  it('come from a late answer only where the caller has got no other since it was asked for', () => {
    const { flagValues } = setUp()
    flagValues.resolve(me, turnDetails({ mode: answer('direct_llm') }))
    const known = flagValues.known(me)
    flagValues.resolveLate(me, turnDetails(), undefined)
    flagValues.resolveLate(stranger, turnDetails(), undefined)
    expect(flagValues.recall(me).mode.value).to.equal('direct_llm')
    expect(flagValues.recall(stranger).mode.value).to.equal('runtime_orchestrator')
    flagValues.resolveLate(me, turnDetails(), known)
    expect(flagValues.recall(me).mode.value).to.equal('runtime_orchestrator')
  })
})

describe('the flags of a session that was never answered', () => {
  const org = (at: number) => callerOf(at, 'org-1')

  it("are its org's newest ones, and say stale", () => {
    const { flagValues } = setUp()
    flagValues.resolve(
      callerOf(1, 'org-2'),
      turnDetails({ mode: answer('direct_llm'), shadow: answer(false) }),
    )
    flagValues.resolve(org(1), turnDetails({ override: answer(true) }))
    for (const flags of [
      flagValues.recall(org(2)),
      flagValues.resolve(org(3), {}),
      flagValues.resolve(org(4), nobody()),
    ]) {
      expect(flags).to.deep.include({
        mode: { value: 'runtime_orchestrator', reason: 'stale' },
        shadow: true,
        override: { on: true, isGuess: true },
        profile: { model: 'm' },
      })
      expect(flags.guardrails.gapMs).to.equal(7000)
    }
    expect([...flagValues.codeDefaults.values()]).to.deep.equal([0, 0, 0, 0, 0, 0, 0])
  })

  it('differ by the share that was seen, always alike for a session', () => {
    const { flagValues } = setUp()
    for (let at = 0; at < 400; at++)
      flagValues.resolve(
        org(at),
        turnDetails({ mode: answer(at % 4 === 0 ? 'runtime_orchestrator' : 'direct_llm') }),
      )
    const modes = Array.from({ length: 2000 }, (_, at) => flagValues.recall(org(1000 + at)).mode.value)
    const share = modes.filter((mode) => mode === 'runtime_orchestrator').length / modes.length
    expect(share).to.be.within(0.2, 0.3)
    expect(
      Array.from({ length: 2000 }, (_, at) => flagValues.recall(org(1000 + at)).mode.value),
    ).to.deep.equal(modes)
  })

  it('are the newest: what was answered before a change of the flag does not count', () => {
    const { flagValues } = setUp()
    for (let at = 0; at < 100; at++) flagValues.resolve(org(at), turnDetails())
    flagValues.flagsChanged(['chat-execution-mode'])
    expect(flagValues.recall(org(200)).mode.value, 'nothing newer was seen').to.equal('runtime_orchestrator')
    flagValues.resolve(org(100), turnDetails({ mode: answer('direct_llm'), shadow: answer(false) }))
    const flags = Array.from({ length: 100 }, (_, at) => flagValues.recall(org(200 + at)))
    expect(flags.filter(({ mode }) => mode.value !== 'direct_llm')).to.deep.equal([])
    expect(flags.filter(({ shadow }) => shadow).length, 'the shadow flag did not change').to.be.greaterThan(
      80,
    )
  })

  it('have the newest write of the override, also before its change was told', () => {
    const { flagValues } = setUp()
    const override = (on: boolean, revision: number) =>
      turnDetails({ override: { ...answer(on), flagMetadata: { revision } } })
    for (let at = 0; at < 100; at++) flagValues.resolve(org(at), override(false, 3))
    flagValues.resolve(org(100), override(true, 4))
    flagValues.resolve(org(101), override(false, 3))
    expect(flagValues.recall(org(200)).override).to.deep.equal({ on: true, revision: 4, isGuess: true })
    expect(flagValues.recall(org(1)).override, 'seen before it').to.deep.equal({
      on: true,
      revision: 4,
      isGuess: true,
    })
    expect(flagValues.recall(org(100)).override, 'its own').to.deep.equal({ on: true, revision: 4 })
  })

  it('are what nobody in particular gets where nothing is known of the org', () => {
    const { flagValues } = setUp()
    flagValues.resolve(NOBODY, turnDetails({ mode: answer('direct_llm'), shadow: answer(false) }))
    flagValues.resolve(org(1), turnDetails())
    expect(flagValues.recall(stranger)).to.deep.include({
      mode: { value: 'direct_llm', reason: 'stale' },
      shadow: false,
    })
    expect([...flagValues.codeDefaults.values()]).to.deep.equal([0, 0, 0, 0, 0, 0, 0])
  })

  it("are the code defaults where the flag's owner chose so for the org, which is no fault", () => {
    const { flagValues } = setUp()
    flagValues.resolve(org(1), turnDetails({ mode: noVariant('direct_llm'), shadow: noVariant(false) }))
    expect(flagValues.recall(org(2))).to.deep.include({
      mode: { value: 'direct_llm', reason: 'code_default' },
      shadow: false,
    })
    expect([...flagValues.codeDefaults.values()]).to.deep.equal([0, 0, 0, 0, 0, 0, 0])
  })

  it('are the code defaults where nothing is known of anybody, which is counted for each flag', () => {
    const { flagValues } = setUp()
    flagValues.recall(NOBODY)
    expect(flagValues.recall(me).mode).to.deep.equal({ value: 'direct_llm', reason: 'code_default' })
    flagValues.resolve(stranger, { override: answer(false) })
    expect(Object.fromEntries(flagValues.codeDefaults)).to.deep.equal({
      'chat-execution-mode': 2,
      'chat-runtime-shadow': 2,
      'chat-runtime-fallback': 1,
      'chat-runtime-rollout': 2,
      'chat-runtime-guardrails': 2,
      'chat-agent-profile': 2,
      'chat-llm-route': 2,
    })
  })
})
