import { MemoryStorage } from '@openfeature/flagd-core'
import { expect } from 'chai'
import fc from 'fast-check'
import { configurationRefusal } from '../../../src/decision/daemon/configuration-refusal.js'
import { silentSdkLogger } from '../../../src/decision/sdk-logger.js'

const good = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'on' }
const configuration = (flags: object) => JSON.stringify({ flags })

describe('why the in-process provider refuses a configuration', () => {
  it('is nothing for one that it takes, odd as that may be', () => {
    expect(configurationRefusal(configuration({ good }))).to.equal(undefined)
    expect(configurationRefusal(configuration({ odd: { ...good, targeting: { nonsense: [] } } }))).to.equal(
      undefined,
    )
    expect(configurationRefusal('{"flags": {}}')).to.equal(undefined)
  })

  it('is each flag that is wrong, with what is wrong with it', () => {
    const { state: _, ...stateless } = good
    const text = configuration({ good, a: { ...good, state: 'on' }, b: stateless, c: { ...good, state: '' } })
    expect(configurationRefusal(text)).to.equal(
      'flag "a" (Invalid flag state: "on"), flag "b" (Invalid flag state: undefined), flag "c" (Invalid flag state: "")',
    )
    expect(configurationRefusal(configuration({ d: { ...good, variants: null } }))).to.match(/^flag "d" \(/)
  })

  it('names a few of many', () => {
    const flags = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`f${at}`, {}]))
    const refusal = configurationRefusal(configuration(flags)) ?? ''
    expect(refusal.match(/flag "/g)).to.have.length(5)
    expect(refusal).to.match(/ and 25 more$/)
  })

  it('is told for a text that is no configuration at all', () => {
    for (const text of ['', '{', 'null', '{"flags": {"a": null}}'])
      expect(configurationRefusal(text), text).to.be.a('string').and.not.equal('')
  })

  it('is there exactly when the provider refuses, whatever the text', () => {
    const flag = fc.record(
      {
        state: fc.constantFrom<unknown>('ENABLED', 'DISABLED', 'on', '', null, 1),
        variants: fc.constantFrom<unknown>({ on: true }, {}, null, 'x', []),
        defaultVariant: fc.constantFrom<unknown>('on', 'x', '', null),
        targeting: fc.constantFrom<unknown>({}, { if: [true, 'on'] }, { nonsense: 1 }, 5, null),
      },
      { requiredKeys: [] },
    )
    const text = fc.oneof(
      fc.dictionary(fc.string(), fc.oneof(flag, fc.jsonValue()), { maxKeys: 4 }).map(configuration),
      fc.json(),
      fc.string(),
    )
    fc.assert(
      fc.property(text, (content) => {
        expect(configurationRefusal(content) === undefined).to.equal(isTaken(content))
      }),
      { numRuns: 150 },
    )
  })
})

function isTaken(text: string): boolean {
  try {
    new MemoryStorage(silentSdkLogger).setConfigurations(text)
    return true
  } catch {
    return false
  }
}
