import { ErrorCode } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { silentLogger } from '../../../src/core/logger.js'
import { NOBODY } from '../../../src/decision/caller.js'
import { createTurnDefaults } from '../../../src/decision/code-defaults.js'
import { FlagFaults } from '../../../src/decision/flag-faults.js'
import { KeptFlags } from '../../../src/decision/values/kept-flags.js'
import { RefusedFlags } from '../../../src/decision/values/refused-flags.js'
import { TurnSettler } from '../../../src/decision/values/turn-settler.js'
import { answer, failure, nobody, noVariant, turnDetails } from '../../support/flag-details.js'
import { CODE_DEFAULTS, callerOf } from '../../support/flag-files.js'
import { manualClock } from '../../support/manual-clock.js'

function setUp({ stale = false, whenAbsent = 'away' as 'away' | 'default' } = {}) {
  const clock = manualClock()
  const faults = new FlagFaults(clock, silentLogger)
  const source = { stale }
  const settler = new TurnSettler(
    createTurnDefaults(CODE_DEFAULTS),
    { isStale: () => source.stale, whenAbsent: (found) => (found ? 'default' : whenAbsent) },
    new RefusedFlags(faults, clock),
    new KeptFlags(undefined, clock),
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

  it('come from a late answer only where the caller has got no other since it was asked for', () => {
    const { settler } = setUp()
    settler.settle(me, turnDetails({ mode: answer('direct_llm') }))
    const known = settler.known(me)
    settler.settleLate(me, turnDetails(), undefined)
    settler.settleLate(stranger, turnDetails(), undefined)
    expect(settler.recall(me).mode.value).to.equal('direct_llm')
    expect(settler.recall(stranger).mode.value).to.equal('runtime_orchestrator')
    settler.settleLate(me, turnDetails(), known)
    expect(settler.recall(me).mode.value).to.equal('runtime_orchestrator')
  })
})

describe('the flags of a session that was never answered', () => {
  const org = (at: number) => callerOf(at, 'org-1')

  it("are its org's newest ones, and say stale", () => {
    const { settler } = setUp()
    settler.settle(callerOf(1, 'org-2'), turnDetails({ mode: answer('direct_llm'), shadow: answer(false) }))
    settler.settle(org(1), turnDetails({ override: answer(true) }))
    for (const flags of [
      settler.recall(org(2)),
      settler.settle(org(3), {}),
      settler.settle(org(4), nobody()),
    ]) {
      expect(flags).to.deep.include({
        mode: { value: 'runtime_orchestrator', reason: 'stale' },
        shadow: true,
        override: { on: true, isGuess: true },
        profile: { model: 'm' },
      })
      expect(flags.guardrails.gapMs).to.equal(7000)
    }
    expect([...settler.codeDefaults.values()]).to.deep.equal([0, 0, 0, 0, 0, 0])
  })

  it('differ by the share that was seen, always alike for a session', () => {
    const { settler } = setUp()
    for (let at = 0; at < 400; at++)
      settler.settle(
        org(at),
        turnDetails({ mode: answer(at % 4 === 0 ? 'runtime_orchestrator' : 'direct_llm') }),
      )
    const modes = Array.from({ length: 2000 }, (_, at) => settler.recall(org(1000 + at)).mode.value)
    const share = modes.filter((mode) => mode === 'runtime_orchestrator').length / modes.length
    expect(share).to.be.within(0.2, 0.3)
    expect(Array.from({ length: 2000 }, (_, at) => settler.recall(org(1000 + at)).mode.value)).to.deep.equal(
      modes,
    )
  })

  it('are the newest: what was answered before a change of the flag does not count', () => {
    const { settler } = setUp()
    for (let at = 0; at < 100; at++) settler.settle(org(at), turnDetails())
    settler.flagsChanged(['chat-execution-mode'])
    expect(settler.recall(org(200)).mode.value, 'nothing newer was seen').to.equal('runtime_orchestrator')
    settler.settle(org(100), turnDetails({ mode: answer('direct_llm'), shadow: answer(false) }))
    const flags = Array.from({ length: 100 }, (_, at) => settler.recall(org(200 + at)))
    expect(flags.filter(({ mode }) => mode.value !== 'direct_llm')).to.deep.equal([])
    expect(flags.filter(({ shadow }) => shadow).length, 'the shadow flag did not change').to.be.greaterThan(
      80,
    )
  })

  it('have the newest write of the override, also before its change was told', () => {
    const { settler } = setUp()
    const override = (on: boolean, revision: number) =>
      turnDetails({ override: { ...answer(on), flagMetadata: { revision } } })
    for (let at = 0; at < 100; at++) settler.settle(org(at), override(false, 3))
    settler.settle(org(100), override(true, 4))
    settler.settle(org(101), override(false, 3))
    expect(settler.recall(org(200)).override).to.deep.equal({ on: true, revision: 4, isGuess: true })
    expect(settler.recall(org(1)).override, 'seen before it').to.deep.equal({
      on: true,
      revision: 4,
      isGuess: true,
    })
    expect(settler.recall(org(100)).override, 'its own').to.deep.equal({ on: true, revision: 4 })
  })

  it('are what nobody in particular gets where nothing is known of the org', () => {
    const { settler } = setUp()
    settler.settle(NOBODY, turnDetails({ mode: answer('direct_llm'), shadow: answer(false) }))
    settler.settle(org(1), turnDetails())
    expect(settler.recall(stranger)).to.deep.include({
      mode: { value: 'direct_llm', reason: 'stale' },
      shadow: false,
    })
    expect([...settler.codeDefaults.values()]).to.deep.equal([0, 0, 0, 0, 0, 0])
  })

  it("are the code defaults where the flag's owner chose so for the org, which is no fault", () => {
    const { settler } = setUp()
    settler.settle(org(1), turnDetails({ mode: noVariant('direct_llm'), shadow: noVariant(false) }))
    expect(settler.recall(org(2))).to.deep.include({
      mode: { value: 'direct_llm', reason: 'code_default' },
      shadow: false,
    })
    expect([...settler.codeDefaults.values()]).to.deep.equal([0, 0, 0, 0, 0, 0])
  })

  it('are the code defaults where nothing is known of anybody, which is counted for each flag', () => {
    const { settler } = setUp()
    settler.recall(NOBODY)
    expect(settler.recall(me).mode).to.deep.equal({ value: 'direct_llm', reason: 'code_default' })
    settler.settle(stranger, { override: answer(false) })
    expect(Object.fromEntries(settler.codeDefaults)).to.deep.equal({
      'chat-execution-mode': 2,
      'chat-runtime-shadow': 2,
      'chat-runtime-fallback': 1,
      'chat-runtime-guardrails': 2,
      'chat-agent-profile': 2,
      'chat-llm-route': 2,
    })
  })
})
