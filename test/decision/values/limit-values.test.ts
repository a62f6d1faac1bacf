import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { checkFlagDocument } from '../../../src/decision/check/ops-file-check.js'
import { FlagFaults } from '../../../src/decision/flag-faults.js'
import type { Flags } from '../../../src/decision/flags.js'
import { createFlags } from '../../../src/decision/open-feature-flags.js'
import { KeptFlags } from '../../../src/decision/values/kept-flags.js'
import { LimitValues } from '../../../src/decision/values/limit-values.js'
import { RefusedFlags } from '../../../src/decision/values/refused-flags.js'
import { DEFAULT_CHAT_LIMITS } from '../../../src/limits/chat-limits.js'
import { answer, failure, noVariant } from '../../support/flag-details.js'
import { CODE_DEFAULTS, flagsConfig, overrideDocument, saveByRename } from '../../support/flag-files.js'
import { manualClock } from '../../support/manual-clock.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

const limitsDocument = (variants: Readonly<Record<string, unknown>>, targeting: object = {}): string =>
  JSON.stringify({
    flags: { 'chat-limits': { state: 'ENABLED', variants, defaultVariant: 'standard', targeting } },
  })

describe('the limits of an org', () => {
  function setUp(whenAbsent: 'default' | 'away' = 'default') {
    const clock = manualClock()
    const faults = new FlagFaults(clock, silentLogger)
    const refused = new RefusedFlags(faults, clock)
    const values = new LimitValues(() => whenAbsent, refused, new KeptFlags(undefined, clock))
    return { faults, values }
  }

  it('are what the flag says, and need no other answer until the flags change', () => {
    const { values } = setUp()
    expect(values.current('acme')).to.equal(undefined)
    values.resolve('acme', answer({ streamsPerOrg: 7 }))
    expect(values.current('acme')).to.deep.equal({ ...DEFAULT_CHAT_LIMITS, streamsPerOrg: 7 })
    values.flagsChanged(['chat-execution-mode'])
    expect(values.current('acme')).to.have.property('streamsPerOrg', 7)
    values.flagsChanged(['chat-limits'])
    expect(values.current('acme')).to.equal(undefined)
    expect(values.recall('acme')).to.have.property('streamsPerOrg', 7)
  })

  it('that were asked for before a change are not taken for those after it', () => {
    const { values } = setUp()
    const { generation } = values
    values.flagsChanged([])
    values.resolve('acme', answer({ streamsPerOrg: 7 }), generation)
    expect(values.current('acme')).to.equal(undefined)
  })

  it('are none without the flag, or where it has no say, which is no fault', () => {
    const { values, faults } = setUp()
    expect(values.resolve('acme', failure({}))).to.equal(DEFAULT_CHAT_LIMITS)
    expect(values.resolve('acme', noVariant({}))).to.equal(DEFAULT_CHAT_LIMITS)
    expect(faults.list()).to.deep.equal([])
  })

  it('are refused as a whole for one wrong value, with a fault; the last good ones stay', () => {
    const { values, faults } = setUp()
    values.resolve('acme', answer({ streamsPerOrg: 7 }))
    for (const wrong of [
      { streamsPerOrg: -1, streamsPerUser: 3 },
      { maxStreams: 0 },
      { weights: { acme: 0 } },
      'many',
    ])
      expect(values.resolve('acme', answer(wrong))).to.include({ streamsPerOrg: 7, streamsPerUser: null })
    expect(faults.list().map(({ where }) => where)).to.deep.equal(['chat-limits'])
  })

  it('are the last ones of the org while nobody answers, else those of all', () => {
    const { values } = setUp('away')
    values.resolve('', answer({ streamsPerOrg: 50 }))
    values.resolve('acme', answer({ streamsPerOrg: 7 }))
    values.flagsChanged([])
    expect(values.resolve('acme', failure({}))).to.have.property('streamsPerOrg', 7)
    expect(values.resolve('acme', undefined)).to.have.property('streamsPerOrg', 7)
    expect(values.resolve('globex', undefined)).to.have.property('streamsPerOrg', 50)
    // What nobody said is nothing to hold on to.
    expect(values.current('globex')).to.equal(undefined)
  })

  describe('by a file', () => {
    const directory = temporaryDirectory()
    let flags: Flags | undefined
    afterEach(() => flags?.close())

    async function startWith(ops: string): Promise<Flags> {
      writeFileSync(directory.path('ops.json'), ops)
      writeFileSync(directory.path('override.json'), overrideDocument('off'))
      const config = flagsConfig(directory.path('ops.json'), directory.path('override.json'))
      flags = createFlags(config, CODE_DEFAULTS, { clock: systemClock, logger: silentLogger })
      await flags.start()
      return flags
    }

    it('go on as before without the flag', async () => {
      const started = await startWith('{"flags": {}}')
      expect(await started.limitsFor('acme')).to.deep.equal(DEFAULT_CHAT_LIMITS)
      expect(started.status()).to.deep.include({ state: 'ready', faults: [] })
    })

    it('are targeted by org, change with the file, and outlast a broken one', async () => {
      const variants = { standard: { streamsPerOrg: 10 }, large: { streamsPerOrg: 99 } }
      const targeting = { if: [{ '==': [{ var: 'orgId' }, 'acme'] }, 'large', null] }
      const started = await startWith(limitsDocument(variants, targeting))
      expect(await started.limitsFor('acme')).to.have.property('streamsPerOrg', 99)
      expect(await started.limitsFor('globex')).to.have.property('streamsPerOrg', 10)
      saveByRename(directory.path('ops.json'), limitsDocument({ standard: { streamsPerOrg: 5 } }))
      await until('the change', async () => (await started.limitsFor('acme')).streamsPerOrg === 5)
      saveByRename(directory.path('ops.json'), limitsDocument({ standard: { streamsPerOrg: 'many' } }))
      await until('the fault', () => started.status().faults.length > 0)
      expect(await started.limitsFor('acme')).to.have.property('streamsPerOrg', 5)
    })

    it('are checked before they take effect, and a misspelt field is told', () => {
      const issues = checkFlagDocument(
        limitsDocument({ standard: { streamsPerOrgs: 5 }, other: { startsPerMinutePerUser: -1 } }),
        'ops',
      )
      expect(issues.map(({ path, severity }) => `${severity} ${path}`)).to.have.members([
        'warning flags.chat-limits.variants.standard.streamsPerOrgs',
        'error flags.chat-limits.variants.other.startsPerMinutePerUser',
      ])
    })
  })
})
