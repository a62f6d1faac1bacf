import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { CodeDefaults, Resolver } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import type { Flags, TurnFlags } from '../../src/decision/flags.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import { CODE_DEFAULTS, callerOf, flagsConfig, opsDocument, overrideDocument } from '../support/flag-files.js'
import { flagdKind, startTestFlagd } from '../support/flagd.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { unhurriedClock } from '../support/unhurried-clock.js'
import { until } from '../support/until.js'

const SESSIONS = 200
const ORGS = ['org-1', 'org-2', 'org-3']
const against = (name: string) =>
  `${name} (${flagdKind === 'flagd' ? 'the real flagd' : 'the flagd simulator'})`

describe(against('the three resolvers'), () => {
  const directory = temporaryDirectory()

  /** The turns of many callers by each resolver, over the same files. */
  async function turnsBy(
    ops: string,
    override: string,
    environment: CodeDefaults = CODE_DEFAULTS,
  ): Promise<Record<Resolver, TurnFlags[]>> {
    const files: [string, string] = [directory.path('ops.json'), directory.path('override.json')]
    writeFileSync(files[0], ops)
    writeFileSync(files[1], override)
    const flagd = await startTestFlagd(files)
    const turns = async (resolver: Resolver, port: number): Promise<TurnFlags[]> => {
      // By rpc each question has one answer here, in time however busy the machine is.
      const clock = resolver === 'rpc' ? unhurriedClock : systemClock
      const deps = { clock, logger: silentLogger }
      const flags = createFlags(flagsConfig(...files, resolver, port), environment, deps)
      try {
        await flags.start()
        await until('the flags', () => flags.status().state === 'ready')
        return await manyTurns(flags)
      } finally {
        await flags.close()
      }
    }
    try {
      return {
        file: await turns('file', 1),
        'in-process': await turns('in-process', flagd.syncPort),
        rpc: await turns('rpc', flagd.evaluationPort),
      }
    } finally {
      await flagd.close()
    }
  }

  /** One after the other, each asked once. */
  async function manyTurns(flags: Flags): Promise<TurnFlags[]> {
    const turns: TurnFlags[] = []
    for (let at = 0; at < SESSIONS; at++)
      turns.push(await flags.forTurn(callerOf(at, ORGS[at % ORGS.length])))
    return turns
  }

  it('decide alike for every caller, by org, by share and by default', async () => {
    const ops = opsDocument({
      mode: 'direct_llm',
      runtimeOrgs: ['org-2'],
      shadowPercent: 30,
      guardrails: { gapMs: 7000 },
      profile: { model: 'm', temperature: 0.3 },
    })
    const share = {
      fractional: [
        ['on', 60],
        ['off', 40],
      ],
    }
    const { file, rpc, ...rest } = await turnsBy(ops, overrideDocument('on', share))
    expect(rest['in-process']).to.deep.equal(file)
    expect(rpc).to.deep.equal(file)
    expect(new Set(file.map(({ mode }) => mode.value)).size).to.equal(2)
    expect(file.filter(({ shadow }) => shadow).length / SESSIONS).to.be.within(0.2, 0.4)
    expect(file.filter(({ override }) => override.on).length / SESSIONS).to.be.within(0.5, 0.7)
  })

  it('leave the same turns to the code defaults', async () => {
    const environment = { ...CODE_DEFAULTS, enabledOrgs: ['org-3'], shadowPercent: 25 }
    const turns = await turnsBy(opsDocument({ mode: null }), overrideDocument('off'), environment)
    expect(turns['in-process']).to.deep.equal(turns.file)
    expect(turns.rpc).to.deep.equal(turns.file)
    expect(turns.file.every(({ mode }) => mode.reason === 'code_default')).to.equal(true)
  })

  it('shadow the same sessions whether the share comes from the environment or from the flag', async () => {
    const environment = { ...CODE_DEFAULTS, shadowPercent: 25 }
    const byDefault = await turnsBy(opsDocument({}), overrideDocument('off'), environment)
    const byFlag = await turnsBy(opsDocument({ shadowPercent: 25 }), overrideDocument('off'))
    const shadows = (turns: TurnFlags[]) => turns.map(({ shadow }) => shadow)
    expect(shadows(byDefault.file)).to.deep.equal(shadows(byFlag.file))
    expect(shadows(byDefault.rpc)).to.deep.equal(shadows(byFlag.rpc))
    expect(shadows(byFlag.file).filter(Boolean).length / SESSIONS).to.be.within(0.15, 0.35)
  })
})
