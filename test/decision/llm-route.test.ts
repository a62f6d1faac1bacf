import { writeFileSync } from 'node:fs'
import type { JsonValue } from '@openfeature/server-sdk'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { checkFlagDocument } from '../../src/decision/check/ops-file-check.js'
import { createTurnDefaults } from '../../src/decision/code-defaults.js'
import { FlagFaults } from '../../src/decision/flag-faults.js'
import type { Flags } from '../../src/decision/flags.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import { KeptFlags } from '../../src/decision/values/kept-flags.js'
import { RefusedFlags } from '../../src/decision/values/refused-flags.js'
import { TurnFlagValues } from '../../src/decision/values/turn-flag-values.js'
import { answer, failure, noVariant, turnDetails } from '../support/flag-details.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  opsDocument,
  overrideDocument,
  saveByRename,
} from '../support/flag-files.js'
import { manualClock } from '../support/manual-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { until } from '../support/until.js'

const ENDPOINTS = ['primary', 'reserve']
const me = callerOf(1)

describe('the route of a turn among the endpoints of the direct LLM', () => {
  function setUp() {
    const clock = manualClock()
    const faults = new FlagFaults(clock, silentLogger)
    const flagValues = new TurnFlagValues(
      createTurnDefaults(CODE_DEFAULTS, ENDPOINTS),
      { isStale: () => false, whenAbsent: (found) => (found ? 'default' : 'away') },
      new RefusedFlags(faults, clock),
      new KeptFlags(undefined, clock),
    )
    const routed = (route: ReturnType<typeof turnDetails>['route'], caller = me) =>
      flagValues.resolve(caller, turnDetails({ route })).route.endpoints
    return { clock, faults, flagValues, routed }
  }

  it('is what the flag says', () => {
    const { routed, faults } = setUp()
    expect(routed(answer({ endpoints: ['reserve', 'primary'] }))).to.deep.equal(['reserve', 'primary'])
    expect(faults.list()).to.deep.equal([])
  })

  it('is all endpoints where the flag has no say or is not there, which is no fault', () => {
    const { routed, faults, flagValues } = setUp()
    expect(routed(noVariant({ endpoints: ['reserve'] }))).to.deep.equal([])
    expect(routed(failure({}))).to.deep.equal([])
    expect(faults.list()).to.deep.equal([])
    expect(flagValues.codeDefaults.get('chat-llm-route')).to.equal(0)
  })

  it('is the last one while nobody answers', () => {
    const { routed, flagValues } = setUp()
    routed(answer({ endpoints: ['reserve'] }))
    expect(flagValues.recall(me).route.endpoints).to.deep.equal(['reserve'])
    expect(flagValues.recall(callerOf(2)).route.endpoints).to.deep.equal(['reserve'])
  })

  for (const [what, value] of [
    ['no endpoint', { endpoints: [] }],
    ['no list', { endpoints: 'reserve' }],
    ['no object', 'reserve'],
  ] as [string, JsonValue][])
    it(`is the last one where the value is refused: ${what}`, () => {
      const { routed, faults } = setUp()
      routed(answer({ endpoints: ['reserve'] }))
      expect(routed(answer(value), callerOf(3))).to.deep.equal(['reserve'])
      expect(faults.list().map(({ where }) => where)).to.deep.equal(['chat-llm-route'])
    })

  it('names endpoints that are not there, until it is mended', () => {
    const { clock, routed, faults } = setUp()
    routed(answer({ endpoints: ['nobody', 'reserve'] }))
    expect(faults.list().map(({ where, message }) => `${where}: ${message}`)).to.deep.equal([
      'chat-llm-route: no endpoint has these names: nobody; they are skipped (there are: primary, reserve)',
    ])
    clock.advance(10_000)
    routed(answer({ endpoints: ['reserve'] }))
    expect(faults.list()).to.deep.equal([])
    routed(answer({ endpoints: ['nobody', 'else'] }))
    expect(faults.list()[0]?.message).to.equal(
      'no endpoint has these names: nobody, else; all endpoints are used instead (there are: primary, reserve)',
    )
  })

  describe('by a file', () => {
    const directory = temporaryDirectory()
    let flags: Flags | undefined
    afterEach(() => flags?.close())

    async function startWith(ops: string): Promise<Flags> {
      writeFileSync(directory.path('ops.json'), ops)
      writeFileSync(directory.path('override.json'), overrideDocument('off'))
      flags = createFlags(
        flagsConfig(directory.path('ops.json'), directory.path('override.json')),
        CODE_DEFAULTS,
        {
          clock: systemClock,
          logger: silentLogger,
          llmEndpoints: ENDPOINTS,
        },
      )
      await flags.start()
      return flags
    }

    it('goes on as before without the flag', async () => {
      const started = await startWith(opsDocument({ mode: 'direct_llm' }))
      expect((await started.forTurn(me)).route.endpoints).to.deep.equal([])
      expect(started.status()).to.deep.include({ state: 'ready', faults: [] })
    })

    it('is targeted as any flag and changes with the file', async () => {
      const started = await startWith(targeted('org-2'))
      expect((await started.forTurn(me)).route.endpoints).to.deep.equal(['primary', 'reserve'])
      expect((await started.forTurn(callerOf(2, 'org-2'))).route.endpoints).to.deep.equal(['reserve'])
      saveByRename(directory.path('ops.json'), opsDocument({ route: { endpoints: ['gone'] } }))
      await until('the fault', async () => {
        await started.forTurn(me)
        return started.status().faults.some(({ where }) => where === 'chat-llm-route')
      })
      expect((await started.forTurn(me)).route.endpoints).to.deep.equal(['gone'])
    })

    it('is checked before it is in force', () => {
      const issues = checkFlagDocument(opsDocument({ route: { endpoints: [] } }), 'ops')
      expect(issues.map(({ path, severity }) => [path, severity])).to.deep.equal([
        ['flags.chat-llm-route.variants.standard.endpoints', 'error'],
      ])
      expect(checkFlagDocument(targeted('org-2'), 'ops')).to.deep.equal([])
    })
  })
})

function targeted(orgId: string): string {
  return JSON.stringify({
    flags: {
      'chat-llm-route': {
        state: 'ENABLED',
        variants: { both: { endpoints: ['primary', 'reserve'] }, reserve: { endpoints: ['reserve'] } },
        defaultVariant: 'both',
        targeting: { if: [{ '==': [{ var: 'orgId' }, orgId] }, 'reserve', null] },
      },
    },
  })
}
