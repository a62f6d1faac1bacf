import { ErrorCode } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { silentLogger } from '../../../src/core/logger.js'
import { createTurnDefaults } from '../../../src/decision/code-defaults.js'
import { FlagFaults } from '../../../src/decision/flag-faults.js'
import { RefusedFlags } from '../../../src/decision/values/refused-flags.js'
import type { ServiceDetails } from '../../../src/decision/values/service-flag-reader.js'
import { ServiceFlagValues } from '../../../src/decision/values/service-flag-values.js'
import { answer, failure, noVariant } from '../../support/flag-details.js'
import { CODE_DEFAULTS } from '../../support/flag-files.js'
import { manualClock } from '../../support/manual-clock.js'

function setUp(whenAbsent: 'away' | 'default' = 'away') {
  const clock = manualClock()
  const faults = new FlagFaults(clock, silentLogger)
  const refused = new RefusedFlags(faults, clock)
  const flagValues = new ServiceFlagValues(
    createTurnDefaults(CODE_DEFAULTS),
    { whenAbsent: (found) => (found ? 'default' : whenAbsent) },
    refused,
  )
  return { flagValues, faults, refused }
}

function details(over: Partial<ServiceDetails> = {}): ServiceDetails {
  return {
    guardrails: answer({ gapMs: 7000 }),
    policy: answer('observe'),
    override: { ...answer(true), flagMetadata: { revision: 4, state: 'fallback', value: 0.55 } },
    rollout: { ...answer(false), flagMetadata: { revision: 2 } },
    mode: answer('direct_llm'),
    ...over,
  }
}

const gone = (errorCode: ErrorCode): ServiceDetails => ({
  guardrails: failure({}, errorCode),
  policy: failure('auto', errorCode),
  override: failure(false, errorCode),
  rollout: failure(false, errorCode),
  mode: failure('direct_llm', errorCode),
})

describe("the service's own flags", () => {
  it('are the values as answered, with the metadata of the override', () => {
    const flags = setUp().flagValues.resolve(details(), true)
    expect(flags.guardrails).to.include({ gapMs: 7000, totalMs: 300_000 })
    expect(flags).to.deep.include({
      policy: 'observe',
      ready: true,
      override: { on: true, metadata: { revision: 4, state: 'fallback', value: 0.55 } },
    })
  })

  it('are the code defaults before anybody answered', () => {
    const flags = setUp().flagValues.resolve({}, false)
    expect(flags).to.deep.equal({
      guardrails: createTurnDefaults(CODE_DEFAULTS).guardrails,
      policy: 'auto',
      modeForAll: 'unknown',
      ready: false,
    })
  })

  it('are the last known good ones where nobody answers, but never an override that is remembered', () => {
    const { flagValues } = setUp()
    flagValues.resolve(details(), true)
    for (const silence of [{}, gone(ErrorCode.FLAG_NOT_FOUND), gone(ErrorCode.PROVIDER_NOT_READY)]) {
      const flags = flagValues.resolve(silence, false)
      expect(flags.guardrails.gapMs).to.equal(7000)
      expect(flags.policy).to.equal('observe')
      expect(flags).not.to.have.property('override')
    }
  })

  it('take each answer that came in time', () => {
    const { flagValues } = setUp()
    flagValues.resolve(details(), true)
    const flags = flagValues.resolve({ policy: answer('off') }, true)
    expect(flags.policy).to.equal('off')
    expect(flags.guardrails.gapMs).to.equal(7000)
  })

  it('are the code defaults where the flags have no say, also later when nobody answers', () => {
    const { flagValues } = setUp()
    flagValues.resolve(details(), true)
    flagValues.resolve(details({ guardrails: noVariant({}), policy: failure('auto') }), true)
    const flags = flagValues.resolve({}, false)
    expect(flags.policy).to.equal('auto')
    expect(flags.guardrails.gapMs).to.equal(60_000)
  })

  it('refuse a wrong policy: the last good one stays, and it is told until it is mended', () => {
    const { flagValues, faults, refused } = setUp()
    for (const policy of [answer('never'), failure('auto', ErrorCode.TYPE_MISMATCH)]) {
      flagValues.resolve(details(), true)
      refused.flagsChanged()
      expect(flagValues.resolve(details({ policy }), true).policy).to.equal('observe')
      expect(faults.list().map(({ where }) => where)).to.deep.equal(['chat-runtime-fallback-policy'])
      refused.flagsChanged()
      flagValues.resolve(details({ policy: answer('off') }), true)
      expect(faults.list()).to.deep.equal([])
    }
    flagValues.resolve(details({ policy: answer('never') }), true)
    expect(faults.list()[0]?.message).to.match(/auto, observe, off.*last good value/)
  })

  it('refuse wrong guardrails as a whole', () => {
    const { flagValues, faults } = setUp()
    flagValues.resolve(details(), true)
    const flags = flagValues.resolve(details({ guardrails: answer({ gapMs: -1, tickMs: 500 }) }), true)
    expect(flags.guardrails).to.include({ gapMs: 7000, tickMs: 1000 })
    expect(faults.list()[0]?.where).to.equal('chat-runtime-guardrails')
  })

  it('take guardrails with a field that nobody knows, and tell its name until it is gone', () => {
    const { flagValues, faults, refused } = setUp()
    const flags = flagValues.resolve(
      details({ guardrails: answer({ gapMs: 8000, gapMS: 9, later: 1 }) }),
      true,
    )
    expect(flags.guardrails.gapMs).to.equal(8000)
    expect(flags.guardrails).not.to.have.property('later')
    expect(faults.list()).to.have.length(1)
    expect(faults.list()[0]).to.include({ where: 'chat-runtime-guardrails' })
    expect(faults.list()[0]?.message).to.match(/gapMS, later/)
    refused.flagsChanged()
    flagValues.resolve(details(), true)
    expect(faults.list()).to.deep.equal([])
  })

  it('are one object as long as the guardrails say the same', () => {
    const { flagValues } = setUp()
    const first = flagValues.resolve(details(), true).guardrails
    expect(flagValues.resolve(details(), true).guardrails).to.equal(first)
  })

  it('have an override without a say: the flag is there, off', () => {
    const override = { ...noVariant(false), flagMetadata: { revision: 9 } }
    expect(setUp().flagValues.resolve(details({ override }), true).override).to.deep.equal({
      on: false,
      metadata: { revision: 9 },
    })
  })

  it('have no override where its value is refused or it is not there', () => {
    const { flagValues } = setUp('default')
    for (const override of [failure(false), failure(false, ErrorCode.PARSE_ERROR)])
      expect(flagValues.resolve(details({ override }), true)).not.to.have.property('override')
  })

  it('give the metadata away as a copy, and only what is flat', () => {
    const flagMetadata = JSON.parse(
      '{"revision": 1, "deep": {"a": 1}, "list": [1], "none": null, "yes": true}',
    )
    const given = setUp().flagValues.resolve(details({ override: { ...answer(true), flagMetadata } }), true)
    expect(given.override?.metadata).to.deep.equal({ revision: 1, yes: true })
    expect(given.override?.metadata).not.to.equal(flagMetadata)
  })
})
