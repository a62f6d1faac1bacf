import { expect } from 'chai'
import fc from 'fast-check'
import { decide, type FlagValues } from '../../src/decision/decide.js'
import { EXECUTION_MODES } from '../../src/protocol/modes.js'

const flagValues: fc.Arbitrary<FlagValues> = fc.record({
  mode: fc.record({
    value: fc.constantFrom(...EXECUTION_MODES),
    reason: fc.constantFrom('targeting_match', 'default', 'code_default', 'stale'),
  }),
  shadow: fc.boolean(),
})

describe('decide', () => {
  it('sends a turn to the direct LLM while the override is on for it, whatever the flags say', () => {
    fc.assert(
      fc.property(flagValues, (flags) => {
        expect(decide(flags, { on: true })).to.deep.equal({
          mode: 'direct_llm',
          reason: 'fallback',
          shadow: false,
        })
      }),
      { numRuns: 50 },
    )
  })

  it('follows the flags while the override is off', () => {
    fc.assert(
      fc.property(flagValues, (flags) => {
        const { value: mode, reason } = flags.mode
        expect(decide(flags, { on: false })).to.deep.equal({ mode, reason, shadow: flags.shadow })
      }),
      { numRuns: 50 },
    )
  })

  it('depends on its arguments alone and leaves them as they are', () => {
    fc.assert(
      fc.property(flagValues, fc.boolean(), (flags, on) => {
        const before = structuredClone(flags)
        expect(decide(flags, { on })).to.deep.equal(decide(structuredClone(flags), { on }))
        expect(flags).to.deep.equal(before)
      }),
      { numRuns: 50 },
    )
  })
})
