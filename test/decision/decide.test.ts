import { expect } from 'chai'
import fc from 'fast-check'
import { decide, type FlagValues, withoutOverride } from '../../src/decision/decide.js'
import { EXECUTION_MODES } from '../../src/protocol/modes.js'

const flagValues: fc.Arbitrary<FlagValues> = fc.record({
  mode: fc.oneof(
    fc.record({
      value: fc.constantFrom(...EXECUTION_MODES),
      reason: fc.constantFrom('targeting_match', 'default', 'code_default', 'stale'),
    }),
    fc.record({
      value: fc.constantFrom(...EXECUTION_MODES),
      reason: fc.constant('stale' as const),
      targeted: fc.constant(true as const),
    }),
  ),
  shadow: fc.boolean(),
})

const OFF = { on: false }
const ON = { on: true }

describe('decide', () => {
  it('sends a turn to the direct LLM while the override is on for it, whatever the flags and the rollout say', () => {
    fc.assert(
      fc.property(flagValues, fc.boolean(), (flags, on) => {
        expect(decide(flags, ON, { on })).to.deep.equal({
          mode: 'direct_llm',
          reason: 'fallback',
          shadow: false,
        })
      }),
      { numRuns: 50 },
    )
  })

  it('follows the flags while the override and the rollout are off', () => {
    fc.assert(
      fc.property(flagValues, (flags) => {
        const { value: mode, reason } = flags.mode
        expect(decide(flags, OFF, OFF)).to.deep.equal({ mode, reason, shadow: flags.shadow })
      }),
      { numRuns: 50 },
    )
  })

  it('gives the runtime by a rollout where the direct LLM is the default, and nowhere against a rule', () => {
    fc.assert(
      fc.property(flagValues, (flags) => {
        const { value, reason, targeted } = flags.mode
        const isOpen = value === 'direct_llm' && reason !== 'targeting_match' && targeted !== true
        const { shadow } = flags
        expect(decide(flags, OFF, ON)).to.deep.equal(
          isOpen
            ? { mode: 'runtime_orchestrator', reason: 'rollout', shadow }
            : { mode: value, reason, shadow },
        )
        expect(withoutOverride(flags, ON)).to.deep.equal(decide(flags, OFF, ON))
      }),
      { numRuns: 100 },
    )
  })

  it('depends on its arguments alone and leaves them as they are', () => {
    fc.assert(
      fc.property(flagValues, fc.boolean(), fc.boolean(), (flags, on, rolled) => {
        const before = structuredClone(flags)
        expect(decide(flags, { on }, { on: rolled })).to.deep.equal(
          decide(structuredClone(flags), { on }, { on: rolled }),
        )
        expect(flags).to.deep.equal(before)
      }),
      { numRuns: 50 },
    )
  })
})
