import { rmSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { type KeptTexts, openKeptTexts } from '../../../src/core/sqlite/kept-texts.js'
import type { Flags } from '../../../src/decision/flags.js'
import { createFlags } from '../../../src/decision/open-feature-flags.js'
import { type FlagdSimulator, startFlagdSimulator } from '../../../src/simulator/flagd/flagd.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  opsDocument,
  overrideDocument,
  saveByRename,
} from '../../support/flag-files.js'
import { freePort } from '../../support/free-port.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

const OPS = opsDocument({
  mode: 'direct_llm',
  runtimeOrgs: ['org-1'],
  shadowPercent: 100,
  guardrails: { gapMs: 7000 },
  profile: { model: 'm' },
})
const BROKEN = OPS.slice(0, -20)

/** They are kept in their own file, not in the database. */
const OF_THE_SERVICE: ReadonlySet<string> = new Set(['chat-runtime-fallback', 'chat-runtime-rollout'])

describe("the operators' flags, kept for the next start", () => {
  const directory = temporaryDirectory()
  const open: Flags[] = []
  const simulators: FlagdSimulator[] = []
  let kept: KeptTexts

  beforeEach(() => {
    kept = openKeptTexts(':memory:', { clock: systemClock, logger: silentLogger })
    writeFileSync(opsFile(), OPS)
    writeFileSync(overrideFile(), overrideDocument('off'))
  })
  afterEach(async () => {
    await Promise.all([...open.splice(0), ...simulators.splice(0)].map((one) => one.close()))
  })

  async function startFlagd(port = 0): Promise<FlagdSimulator> {
    const simulator = await startFlagdSimulator({ files: [opsFile(), overrideFile()], port })
    simulators.push(simulator)
    return simulator
  }

  const opsFile = () => directory.path('chat.flagd.json')
  const overrideFile = () => directory.path('auto-fallback.flagd.json')

  async function start(
    resolver: 'file' | 'in-process' | 'rpc' = 'file',
    port = 1,
    texts = kept,
  ): Promise<Flags> {
    const config = flagsConfig(opsFile(), overrideFile(), resolver, port)
    const flags = createFlags(config, CODE_DEFAULTS, {
      clock: systemClock,
      logger: silentLogger,
      kept: texts,
    })
    open.push(flags)
    await flags.start()
    return flags
  }

  /** One start with everything well. */
  async function goodStart(resolver: 'file' | 'in-process' | 'rpc' = 'file'): Promise<void> {
    const simulator = await startFlagd()
    const flags = await start(resolver, simulator.port)
    await until('the flags', () => flags.origin() === 'source')
    await until('what is kept', async () => (await kept.read('ops-flags')) !== undefined)
    await flags.close()
    await simulator.close()
  }

  async function expectKept(flags: Flags): Promise<void> {
    expect(flags.origin()).to.equal('kept')
    const [first, second] = [
      await flags.forTurn(callerOf(1, 'org-1')),
      await flags.forTurn(callerOf(2, 'org-2')),
    ]
    expect(first).to.deep.include({
      mode: { value: 'runtime_orchestrator', reason: 'stale', targeted: true },
      shadow: true,
      override: { on: false },
      profile: { model: 'm' },
    })
    expect(first.guardrails).to.include({ gapMs: 7000, totalMs: 300_000 })
    expect(second.mode, 'targeting').to.deep.equal({ value: 'direct_llm', reason: 'stale' })
    expect((await flags.forService()).guardrails).to.include({ gapMs: 7000 })
    expect(flags.status().state).to.equal('stale')
    expect(
      flags
        .status()
        .faults.map(({ message }) => message)
        .join(),
    ).to.match(/the flags kept at \d{4}-.+Z are in force/)
    expect(
      [...flags.codeDefaults()].filter(([key, count]) => !OF_THE_SERVICE.has(key) && count > 0),
    ).to.deep.equal([])
  }

  for (const [how, breakFile] of [
    ['broken', () => writeFileSync(opsFile(), BROKEN)],
    ['gone', () => rmSync(opsFile())],
  ] as const)
    it(`are in force where the file is ${how} at the start, until it is good again`, async () => {
      await goodStart()
      breakFile()
      const flags = await start()
      await expectKept(flags)
      saveByRename(opsFile(), opsDocument({ mode: 'direct_llm', guardrails: { gapMs: 8000 } }))
      await until('the file', () => flags.origin() === 'source')
      expect((await flags.forTurn(callerOf(1, 'org-1'))).mode).to.deep.equal({
        value: 'direct_llm',
        reason: 'default',
      })
      expect((await flags.forService()).guardrails).to.include({ gapMs: 8000 })
      expect(flags.status()).to.deep.include({ state: 'ready', faults: [] })
    })

  for (const resolver of ['in-process', 'rpc'] as const)
    it(`are in force where flagd is away at the start: ${resolver}`, async () => {
      await goodStart(resolver)
      const port = await freePort()
      const flags = await start(resolver, port)
      await expectKept(flags)
      await startFlagd(port)
      await until('flagd', () => flags.origin() === 'source', 20_000)
      await until('the status', () => !flags.status().faults.some(({ message }) => message.includes('kept')))
    })

  it('are not those of a content with a fault', async () => {
    await goodStart()
    writeFileSync(opsFile(), opsDocument({ mode: 'runtime_orchestrator', guardrails: { gapMs: -1 } }))
    const flags = await start()
    expect(flags.origin()).to.equal('source')
    expect((await kept.read('ops-flags'))?.text).to.equal(OPS)
  })

  it('are not told as in force once the file is read, though a flag of it is refused', async () => {
    await goodStart()
    writeFileSync(opsFile(), BROKEN)
    const flags = await start()
    await expectKept(flags)
    saveByRename(opsFile(), opsDocument({ mode: 'runtime_orchestrator', guardrails: { gapMs: -1 } }))
    await until('the file', () => flags.origin() === 'source')
    await until('the refused flag', () =>
      flags.status().faults.some(({ message }) => message.includes('gapMs')),
    )
    expect(
      flags
        .status()
        .faults.map(({ message }) => message)
        .join(),
    ).to.not.include('kept at')
    expect((await kept.read('ops-flags'))?.text).to.equal(OPS)
  })

  it('say that there are none, or that the database has not answered yet', async () => {
    writeFileSync(opsFile(), BROKEN)
    expect((await start()).origin()).to.equal('nothing')
    let answers = false
    const slow: KeptTexts = {
      ...kept,
      read: async () => {
        if (!answers) throw new Error('locked')
        return { text: OPS, at: 0 }
      },
    }
    const flags = await start('file', 1, slow)
    expect(flags.origin()).to.equal('unread')
    expect((await flags.forTurn(callerOf(1))).mode.reason).to.equal('code_default')
    answers = true
    await until('the database', () => flags.origin() === 'kept')
    await until('the status', () => flags.status().state === 'stale')
    expect((await flags.forTurn(callerOf(1))).mode.reason).to.equal('stale')
  })

  it('that nobody could read any more are nothing', async () => {
    kept.keep('ops-flags', 'no JSON')
    writeFileSync(opsFile(), BROKEN)
    const flags = await start()
    expect(flags.origin()).to.equal('nothing')
    expect((await flags.forTurn(callerOf(1))).mode.reason).to.equal('code_default')
  })
})
