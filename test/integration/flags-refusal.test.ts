import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Resolver } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import type { Flags } from '../../src/decision/flags.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import { capturingLogger } from '../support/capturing-logger.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  opsDocument,
  overrideDocument,
  saveByRename,
} from '../support/flag-files.js'
import { flagdKind, startTestFlagd, type TestFlagd } from '../support/flagd.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { until } from '../support/until.js'

const OPS = opsDocument({ mode: 'runtime_orchestrator' })
/** A source of other people, which no monitor of ours reads. */
const others = (state: string) =>
  JSON.stringify({ flags: { theirs: { state, variants: { a: 1 }, defaultVariant: 'a' } } })

function overrideWith(revision: number): string {
  const document = JSON.parse(overrideDocument('off'))
  document.flags['chat-runtime-fallback'].metadata = { revision }
  return JSON.stringify(document, null, 2)
}

describe(`a configuration that flagd takes and its in-process provider does not (${flagdKind === 'flagd' ? 'the real flagd' : 'the flagd simulator'})`, () => {
  const directory = temporaryDirectory()
  let opened: Flags | undefined
  let daemon: TestFlagd | undefined
  let lines: Record<string, unknown>[] = []

  afterEach(async () => {
    await opened?.close()
    await daemon?.close()
    opened = undefined
    daemon = undefined
  })

  const opsFile = () => directory.path('chat.flagd.json')
  const overrideFile = () => directory.path('auto-fallback.flagd.json')
  const othersFile = () => directory.path('others.flagd.json')

  async function start(state: string, resolver: Resolver = 'in-process'): Promise<Flags> {
    writeFileSync(opsFile(), OPS)
    writeFileSync(overrideFile(), overrideWith(1))
    writeFileSync(othersFile(), others(state))
    daemon = await startTestFlagd([opsFile(), overrideFile(), othersFile()])
    const port = resolver === 'rpc' ? daemon.evaluationPort : daemon.syncPort
    const capturing = capturingLogger()
    lines = capturing.lines
    const flags = createFlags(flagsConfig(opsFile(), overrideFile(), resolver, port), CODE_DEFAULTS, {
      clock: systemClock,
      logger: capturing.logger,
    })
    opened = flags
    await flags.start()
    return flags
  }

  const messages = (flags: Flags) => flags.status().faults.map(({ message }) => message)
  const revision = async (flags: Flags) => (await flags.forService()).override?.metadata.revision
  const isReady = (flags: Flags) => until('ready', () => flags.status().state === 'ready')
  const REFUSED =
    'the in-process provider refuses the whole configuration because of flag "theirs" (Invalid flag state: "on"); last known good values are in force, then code defaults'

  it('is named by its flag, in the status and once in the log, while the old one stays in force', async () => {
    const flags = await start('ENABLED')
    await isReady(flags)
    saveByRename(othersFile(), others('on'))
    await until('the fault', () => flags.status().faults.length > 0)
    expect(messages(flags)).to.deep.equal([REFUSED])
    expect(flags.status().state).to.equal('stale')
    expect(flags.status().faults[0]?.where).to.match(/^flagd 127\.0\.0\.1:\d+$/)
    expect((await flags.forTurn(callerOf(1))).mode).to.deep.equal({
      value: 'runtime_orchestrator',
      reason: 'stale',
    })
    for (const revision of [2, 3, 4]) saveByRename(overrideFile(), overrideWith(revision))
    saveByRename(othersFile(), others('ENABLED'))
    await isReady(flags)
    const told = lines.filter(({ msg }) => String(msg).includes(REFUSED))
    expect(told.map(({ level, msg }) => `${level} ${msg}`)).to.deep.equal([
      `40 [Flags] ${REFUSED}`,
      `30 [Flags] mended: ${REFUSED}`,
    ])
  })

  it('is also one with a flag without variants', async () => {
    const flags = await start('ENABLED')
    await isReady(flags)
    saveByRename(othersFile(), JSON.stringify({ flags: { theirs: { state: 'ENABLED' } } }))
    await until('the fault', () => flags.status().faults.length > 0)
    expect(messages(flags).join()).to.match(
      /^the in-process provider refuses the whole configuration because of flag "theirs" /,
    )
    saveByRename(othersFile(), others('ENABLED'))
    await isReady(flags)
  })

  it('keeps what was written from coming back although the provider is READY, until it is mended', async () => {
    const flags = await start('ENABLED')
    await isReady(flags)
    let heard = 0
    flags.onChange(() => {
      heard += 1
    })
    saveByRename(othersFile(), others('on'))
    await until('the fault', () => flags.status().faults.length > 0)
    saveByRename(overrideFile(), overrideWith(2))
    const giveUpAt = performance.now() + 100
    await until('a while', async () => {
      expect(await revision(flags)).to.equal(1)
      expect((await flags.forService()).ready).to.equal(true)
      return performance.now() > giveUpAt
    })
    expect(heard).to.equal(0)
    saveByRename(othersFile(), others('ENABLED'))
    await until('the revision', async () => (await revision(flags)) === 2)
    expect(heard).to.equal(1)
    await isReady(flags)
    expect(messages(flags)).to.deep.equal([])
    expect((await flags.forTurn(callerOf(1))).mode.reason).to.equal('default')
  })

  it('leaves a new start on code defaults, and says over what', async () => {
    const flags = await start('on')
    await until('the fault', () => flags.status().faults.length > 0)
    expect(messages(flags)).to.deep.equal([REFUSED])
    expect(flags.status().state).to.equal('unavailable')
    expect((await flags.forTurn(callerOf(1))).mode).to.deep.equal({
      value: 'direct_llm',
      reason: 'code_default',
    })
    expect(await flags.forService()).not.to.have.property('override')
    saveByRename(othersFile(), others('DISABLED'))
    await isReady(flags)
    expect(await revision(flags)).to.equal(1)
    expect((await flags.forTurn(callerOf(1))).mode.value).to.equal('runtime_orchestrator')
  })

  it('is told with file and line where the file is ours', async () => {
    const flags = await start('ENABLED')
    await isReady(flags)
    saveByRename(overrideFile(), overrideWith(2).replace('ENABLED', 'enabled'))
    await until('both faults', () => flags.status().faults.length === 2)
    const { faults } = flags.status()
    expect(faults.find(({ where }) => where === overrideFile())).to.include({ line: 4 })
    for (const { message } of faults)
      expect(message).to.match(/the in-process provider refuses the whole configuration because of/)
    expect(faults.map(({ message }) => message).join()).to.include(
      'flag "chat-runtime-fallback" (Invalid flag state: "enabled")',
    )
  })

  it('is no fault by rpc, where flagd evaluates', async () => {
    const flags = await start('on', 'rpc')
    await isReady(flags)
    saveByRename(overrideFile(), overrideWith(2))
    await until('the revision', async () => (await revision(flags)) === 2)
    expect(flags.status().faults).to.deep.equal([])
  })
})
