import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { CodeDefaults } from '../../../src/config.js'
import { type Clock, systemClock } from '../../../src/core/clock.js'
import type { Flags, TurnFlags } from '../../../src/decision/flags.js'
import { createFlags } from '../../../src/decision/open-feature-flags.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import {
  CODE_DEFAULTS,
  callerOf,
  flagsConfig,
  opsDocument,
  overrideDocument,
  saveByRename,
} from '../../support/flag-files.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { SOON_MS, until } from '../../support/until.js'

const RUNTIME = opsDocument({ mode: 'runtime_orchestrator', shadowPercent: 0 })
const RUNTIME_FOR_ORGS = JSON.stringify(
  JSON.parse(opsDocument({ mode: 'direct_llm', runtimeOrgs: ['acme', 'globex'] })),
  null,
  2,
).replace(/\[\s*"acme",\s*"globex"\s*\]/, '["acme", "globex"]')
const DIRECT = opsDocument({ mode: 'direct_llm', shadowPercent: 0 })
/** ms until a content that stays broken is told */
const TOLD_MS = 3000

/** The system's clock, on which the looks of each second never come: what changes is told by the system alone. */
const withoutLooks: Clock = {
  ...systemClock,
  schedule: (delayMs, callback) =>
    delayMs < 500 ? systemClock.schedule(delayMs, callback) : { cancel: () => undefined },
}

describe('flags by resolver file', () => {
  const directory = temporaryDirectory()
  const open: Flags[] = []
  let lines: Record<string, unknown>[] = []

  afterEach(async () => {
    await Promise.all(open.splice(0).map((flags) => flags.close()))
  })

  const opsFile = () => directory.path('chat.flagd.json')
  const overrideFile = () => directory.path('auto-fallback.flagd.json')

  async function start(
    environment: CodeDefaults = CODE_DEFAULTS,
    ops = opsFile(),
    clock: Clock = systemClock,
  ): Promise<Flags> {
    const capturing = capturingLogger()
    lines = capturing.lines
    const flags = createFlags(flagsConfig(ops, overrideFile()), environment, {
      clock,
      logger: capturing.logger,
    })
    open.push(flags)
    await flags.start()
    return flags
  }

  async function startWith(ops: string, override = overrideDocument('off')): Promise<Flags> {
    writeFileSync(opsFile(), ops)
    writeFileSync(overrideFile(), override)
    return start()
  }

  const turn = (flags: Flags, at = 1, org?: string): Promise<TurnFlags> => flags.forTurn(callerOf(at, org))

  /** Waits until a turn satisfies `holds`. */
  async function turnUntil(flags: Flags, holds: (turn: TurnFlags) => boolean): Promise<void> {
    const startedAt = performance.now()
    let last = await turn(flags)
    while (!holds(last)) {
      if (performance.now() - startedAt > SOON_MS)
        throw new Error(`still ${JSON.stringify(last.mode)} after ${SOON_MS / 1000} s`)
      await new Promise((resolve) => setImmediate(resolve))
      last = await turn(flags)
    }
  }

  const isMode = (mode: string) => (values: TurnFlags) => values.mode.value === mode
  const faultTold = (flags: Flags) => until('a fault', () => flags.status().faults.length > 0, TOLD_MS)

  it('names in the status what is taken without a word and not meant so, with its line; it is in force as written', async () => {
    writeFileSync(overrideFile(), overrideDocument('off'))
    writeFileSync(opsFile(), RUNTIME_FOR_ORGS.replace('["acme", "globex"]', '"acme,globex"'))
    const flags = await start()
    const line = RUNTIME_FOR_ORGS.split('\n').findIndex((text) => text.includes('globex')) + 1
    expect(flags.status().faults.map((fault) => [fault.where, fault.line])).to.deep.equal([[opsFile(), line]])
    expect(flags.status().faults[0]?.message).to.match(
      /did you mean the list \["acme", "globex"\]\?; it is in force as written$/,
    )
    expect((await flags.forTurn(callerOf(1, 'me'))).mode).to.deep.equal({
      value: 'runtime_orchestrator',
      reason: 'targeting_match',
    })
    saveByRename(opsFile(), RUNTIME_FOR_ORGS)
    await until('the mended file', () => flags.status().faults.length === 0)
    expect((await flags.forTurn(callerOf(1, 'me'))).mode.value).to.equal('direct_llm')
  })

  it('ships such that the environment decides until somebody writes a variant', async () => {
    writeFileSync(opsFile(), readFileSync('flags/chat.flagd.json'))
    writeFileSync(overrideFile(), readFileSync('flags/auto-fallback.flagd.json'))
    const flags = await start({ ...CODE_DEFAULTS, enabledOrgs: ['org-7'], totalMs: 1000 })
    const [other, enabled] = [await turn(flags, 1, 'org-1'), await turn(flags, 1, 'org-7')]
    expect(other.mode).to.deep.equal({ value: 'direct_llm', reason: 'code_default' })
    expect(enabled.mode).to.deep.equal({ value: 'runtime_orchestrator', reason: 'code_default' })
    expect(other).to.deep.include({ shadow: false, override: { on: false, revision: 0 } })
    expect(other.guardrails).to.include({ totalMs: 1000, errorRate: 0.5, gapMs: 60_000 })
    expect(other.profile.systemPrompt).to.be.a('string')
    expect(flags.status()).to.deep.equal({ resolver: 'file', state: 'ready', faults: [] })
  })

  it('knows by what rule a mode was given', async () => {
    const flags = await startWith(opsDocument({ mode: 'direct_llm', runtimeOrgs: ['org-2'] }))
    expect((await turn(flags, 1, 'org-1')).mode).to.deep.equal({ value: 'direct_llm', reason: 'default' })
    expect((await turn(flags, 1, 'org-2')).mode).to.deep.equal({
      value: 'runtime_orchestrator',
      reason: 'targeting_match',
    })
  })

  const saves: Record<string, (text: string) => void> = {
    'a rename': (text) => saveByRename(opsFile(), text),
    'an in-place write': (text) => writeFileSync(opsFile(), text),
    'a delete and a new file': (text) => {
      unlinkSync(opsFile())
      writeFileSync(opsFile(), text)
    },
    'a backup as editors make it': (text) => {
      renameSync(opsFile(), `${opsFile()}~`)
      writeFileSync(opsFile(), text)
    },
  }
  for (const [how, save] of Object.entries(saves))
    it(`has a change in force without waiting for a look of each second, when saved by ${how}`, async () => {
      writeFileSync(opsFile(), DIRECT)
      writeFileSync(overrideFile(), overrideDocument('off'))
      const flags = await start(CODE_DEFAULTS, opsFile(), withoutLooks)
      for (let round = 0; round < 6; round++) {
        const mode = round % 2 === 0 ? 'runtime_orchestrator' : 'direct_llm'
        save(opsDocument({ mode, shadowPercent: 0 }))
        await turnUntil(flags, isMode(mode))
      }
      expect(lines.filter(({ level }) => level !== 30)).to.deep.equal([])
    })

  it("follows the swap of a Kubernetes ConfigMap's link, again and again", async () => {
    const mount = directory.path('mounted')
    const version = (name: string, text: string) => {
      mkdirSync(`${mount}/${name}`, { recursive: true })
      writeFileSync(`${mount}/${name}/chat.flagd.json`, text)
      symlinkSync(name, `${mount}/..data_tmp`)
      renameSync(`${mount}/..data_tmp`, `${mount}/..data`)
    }
    version('..2026_01', DIRECT)
    symlinkSync('..data/chat.flagd.json', `${mount}/chat.flagd.json`)
    writeFileSync(overrideFile(), overrideDocument('off'))
    const flags = await start(CODE_DEFAULTS, `${mount}/chat.flagd.json`, withoutLooks)
    for (let round = 0; round < 4; round++) {
      const mode = round % 2 === 0 ? 'runtime_orchestrator' : 'direct_llm'
      version(`..2026_1${round}`, opsDocument({ mode }))
      await turnUntil(flags, isMode(mode))
    }
  })

  it('follows the swap of a link far above the file', async () => {
    for (const [release, text] of [
      ['one', DIRECT],
      ['two', RUNTIME],
    ] as const) {
      mkdirSync(directory.path(release, 'flags'), { recursive: true })
      writeFileSync(directory.path(release, 'flags', 'chat.flagd.json'), text)
    }
    writeFileSync(overrideFile(), overrideDocument('off'))
    symlinkSync('one', directory.path('current'))
    const flags = await start(CODE_DEFAULTS, directory.path('current', 'flags', 'chat.flagd.json'))
    expect((await turn(flags)).mode.value).to.equal('direct_llm')
    symlinkSync('two', directory.path('next'))
    renameSync(directory.path('next'), directory.path('current'))
    await turnUntil(flags, isMode('runtime_orchestrator'))
  })

  it('settles on the last value of a burst', async () => {
    const flags = await startWith(DIRECT)
    for (let at = 0; at < 40; at++)
      saveByRename(opsFile(), opsDocument({ guardrails: { minSamples: at + 1 } }))
    await turnUntil(flags, ({ guardrails }) => guardrails.minSamples === 40)
  })

  it('does not blink while a file is written bit by bit', async () => {
    const flags = await startWith(DIRECT)
    const seen = new Set<string>()
    const look = async () => {
      const { mode } = await turn(flags)
      seen.add(`${mode.value} ${mode.reason}`)
    }
    for (let at = 0; at < RUNTIME.length; at += 60) {
      writeFileSync(opsFile(), RUNTIME.slice(0, at))
      await new Promise((resolve) => setTimeout(resolve, 1))
      await look()
    }
    writeFileSync(opsFile(), RUNTIME)
    await turnUntil(flags, isMode('runtime_orchestrator'))
    expect([...seen]).to.deep.equal(['direct_llm default'])
    expect(lines.filter(({ level }) => level === 40)).to.deep.equal([])
  })

  const broken: Record<string, string | undefined> = {
    empty: '',
    torn: RUNTIME.slice(0, 80),
    '{}': '{}',
    null: 'null',
    deleted: undefined,
    'without a valid state': DIRECT.replace('ENABLED', 'on'),
    'with a default variant that is none': DIRECT.replace(
      '"defaultVariant": "direct_llm"',
      '"defaultVariant": "x"',
    ),
  }
  for (const [name, text] of Object.entries(broken))
    it(`keeps the last good flags when the file is ${name}, says so once, and recovers`, async () => {
      const flags = await startWith(RUNTIME)
      expect((await turn(flags)).mode).to.deep.equal({ value: 'runtime_orchestrator', reason: 'default' })
      if (text === undefined) rmSync(opsFile())
      else writeFileSync(opsFile(), text)
      await faultTold(flags)
      for (let at = 0; at < 20; at++)
        expect((await turn(flags, at)).mode).to.deep.equal({ value: 'runtime_orchestrator', reason: 'stale' })
      const status = flags.status()
      expect(status.state).to.equal('stale')
      expect(status.faults[0]?.where).to.equal(opsFile())
      expect(lines.filter(({ level }) => level === 40)).to.have.length(status.faults.length)
      saveByRename(opsFile(), DIRECT)
      await turnUntil(flags, isMode('direct_llm'))
      expect(flags.status()).to.deep.equal({ resolver: 'file', state: 'ready', faults: [] })
      expect((await turn(flags)).mode.reason).to.equal('default')
    })

  it('names the line of what is wrong, in the status and in the log', async () => {
    const flags = await startWith(RUNTIME)
    writeFileSync(opsFile(), RUNTIME.replace('ENABLED', 'on'))
    await faultTold(flags)
    expect(flags.status().faults[0]).to.include({ where: opsFile(), line: 4 })
    expect(lines.find(({ level }) => level === 40)).to.include({ where: opsFile(), line: 4 })
  })

  it('reads flags in a list, tells the line of a fault in it, and refuses a key that is there twice', async () => {
    const asList = (text: string) => {
      const { flags }: { flags: Record<string, object> } = JSON.parse(text)
      const list = Object.entries(flags).map(([key, flag]) => ({ key, ...flag }))
      return JSON.stringify({ flags: list }, null, 2)
    }
    const flags = await startWith(asList(RUNTIME), asList(overrideDocument('on')))
    expect(await turn(flags)).to.deep.include({
      mode: { value: 'runtime_orchestrator', reason: 'default' },
      override: { on: true },
    })
    expect(flags.status()).to.deep.equal({ resolver: 'file', state: 'ready', faults: [] })
    saveByRename(opsFile(), asList(DIRECT))
    await turnUntil(flags, isMode('direct_llm'))
    saveByRename(opsFile(), asList(RUNTIME).replace('ENABLED', 'on'))
    await faultTold(flags)
    expect(flags.status().faults[0]).to.include({ where: opsFile(), line: 5 })
    expect((await turn(flags)).mode).to.deep.equal({ value: 'direct_llm', reason: 'stale' })
    const [entry] = JSON.parse(asList(RUNTIME)).flags
    saveByRename(opsFile(), JSON.stringify({ flags: [entry, entry] }))
    await until(
      'the other fault',
      () =>
        flags.status().faults.some(({ message }) => message.includes('"chat-execution-mode" is there twice')),
      TOLD_MS,
    )
    expect((await turn(flags)).mode.value).to.equal('direct_llm')
  })

  it('takes {"flags": {}} as a wish in the operators\' file', async () => {
    const flags = await startWith(RUNTIME)
    writeFileSync(opsFile(), '{"flags": {}}')
    await turnUntil(flags, ({ mode }) => mode.reason === 'code_default')
    expect((await turn(flags)).mode.value).to.equal('direct_llm')
    expect(flags.status()).to.deep.equal({ resolver: 'file', state: 'ready', faults: [] })
  })

  it('takes {"flags": {}} as a fault in the file of the service', async () => {
    const flags = await startWith(RUNTIME, overrideDocument('on'))
    expect((await turn(flags)).override.on).to.equal(true)
    writeFileSync(overrideFile(), '{"flags": {}}')
    await faultTold(flags)
    const values = await turn(flags)
    expect(values.override.on).to.equal(true)
    expect(values.mode.reason, "the operators' file is well").to.equal('default')
  })

  it('refuses a wrong object as a whole, keeps its last good one, and takes the rest of the save', async () => {
    const flags = await startWith(opsDocument({ mode: 'direct_llm', guardrails: { gapMs: 7000 } }))
    expect((await turn(flags)).guardrails.gapMs).to.equal(7000)
    writeFileSync(
      opsFile(),
      opsDocument({ mode: 'runtime_orchestrator', guardrails: { gapMs: 9000, errorRate: 7 } }),
    )
    await turnUntil(flags, isMode('runtime_orchestrator'))
    const values = await turn(flags, 99, 'org-never-seen')
    expect(values.guardrails.gapMs).to.equal(7000)
    expect(values.mode.reason).to.equal('default')
    expect(flags.status().state).to.equal('stale')
    expect(flags.status().faults[0]?.message).to.match(/errorRate: must be at most 1/)
    saveByRename(opsFile(), opsDocument({ guardrails: { gapMs: 9000 } }))
    await turnUntil(flags, ({ guardrails }) => guardrails.gapMs === 9000)
    expect(flags.status().faults).to.deep.equal([])
  })

  it('keeps the last good rule of a flag for callers never seen when its new text is wrong', async () => {
    const flags = await startWith(opsDocument({ mode: 'direct_llm', runtimeOrgs: ['org-7'] }))
    writeFileSync(
      opsFile(),
      opsDocument({ mode: 'direct_llm', shadowPercent: 100 }).replace(
        '"direct_llm": "direct_llm"',
        '"direct_llm": "llm"',
      ),
    )
    await turnUntil(flags, ({ shadow }) => shadow)
    expect((await turn(flags, 99, 'org-7')).mode).to.deep.equal({
      value: 'runtime_orchestrator',
      reason: 'stale',
      targeted: true,
    })
    expect(flags.status().faults).to.have.length(1)
  })

  it("ignores the service's flag in the operators' file and says so", async () => {
    const ops = JSON.parse(RUNTIME)
    const stray = JSON.parse(overrideDocument('on')).flags
    const flags = await startWith(JSON.stringify({ flags: { ...ops.flags, ...stray } }))
    const values = await turn(flags)
    expect(values.override.on).to.equal(false)
    expect(values.mode.value).to.equal('runtime_orchestrator')
    expect(flags.status().faults[0]?.message).to.match(/belongs in the service's file/)
  })

  it('does not wait at a pipe that nobody writes to, and picks up the file in its place', async function () {
    // Windows has no pipes among its files.
    if (process.platform === 'win32') return this.skip()
    execFileSync('mkfifo', [opsFile()])
    writeFileSync(overrideFile(), overrideDocument('off'))
    const flags = await start()
    expect(flags.status().faults[0]?.message).to.include('it is no file')
    saveByRename(opsFile(), RUNTIME)
    await turnUntil(flags, isMode('runtime_orchestrator'))
  })

  it('starts without files on code defaults, and picks them up when they appear', async () => {
    const flags = await start({ ...CODE_DEFAULTS, mode: 'runtime_orchestrator' })
    expect((await turn(flags)).mode).to.deep.equal({ value: 'runtime_orchestrator', reason: 'code_default' })
    expect(flags.status().state).to.equal('unavailable')
    expect(flags.status().faults.map(({ where }) => where)).to.have.members([opsFile(), overrideFile()])
    writeFileSync(opsFile(), DIRECT)
    await turnUntil(flags, isMode('direct_llm'))
    expect(flags.status().state).to.equal('stale')
    writeFileSync(overrideFile(), overrideDocument('on'))
    await turnUntil(flags, ({ override }) => override.on)
    expect(flags.status().state).to.equal('ready')
  })

  it('picks up files of a directory that appears later', async () => {
    writeFileSync(overrideFile(), overrideDocument('off'))
    const flags = await start(CODE_DEFAULTS, directory.path('later', 'chat.flagd.json'))
    mkdirSync(directory.path('later'))
    writeFileSync(directory.path('later', 'chat.flagd.json'), RUNTIME)
    await until('the flags', () => flags.status().state === 'ready', TOLD_MS)
    expect((await turn(flags)).mode.value).to.equal('runtime_orchestrator')
  })

  it('keeps watching after its directory was replaced', async () => {
    mkdirSync(directory.path('flags'))
    const ops = directory.path('flags', 'chat.flagd.json')
    writeFileSync(ops, DIRECT)
    writeFileSync(overrideFile(), overrideDocument('off'))
    const flags = await start(CODE_DEFAULTS, ops)
    renameSync(directory.path('flags'), directory.path('old'))
    mkdirSync(directory.path('flags'))
    writeFileSync(ops, RUNTIME)
    await until('the change', () => lines.some(({ msg }) => msg === '[Flags] changed'), TOLD_MS)
    writeFileSync(ops, DIRECT)
    await turnUntil(flags, isMode('direct_llm'))
  })

  it('logs which flags of which file changed, once for each change', async () => {
    const flags = await startWith(DIRECT)
    saveByRename(opsFile(), RUNTIME)
    await turnUntil(flags, isMode('runtime_orchestrator'))
    saveByRename(opsFile(), `${RUNTIME}\n`)
    saveByRename(overrideFile(), overrideDocument('on'))
    await turnUntil(flags, ({ override }) => override.on)
    const changes = lines.filter(({ msg }) => msg === '[Flags] changed')
    expect(changes.map(({ file, flags: keys }) => ({ file, keys }))).to.deep.equal([
      { file: opsFile(), keys: ['chat-execution-mode'] },
      { file: overrideFile(), keys: ['chat-runtime-fallback'] },
    ])
  })

  it('writes no value of a flag to the log', async () => {
    const flags = await startWith(opsDocument({ profile: { systemPrompt: 'a secret prompt' } }))
    saveByRename(opsFile(), opsDocument({ profile: { systemPrompt: 'another secret prompt' } }))
    await turnUntil(flags, ({ profile }) => profile.systemPrompt === 'another secret prompt')
    saveByRename(opsFile(), opsDocument({ profile: { systemPrompt: 'a third secret', maxTokens: -1 } }))
    await faultTold(flags)
    expect(JSON.stringify(lines)).not.to.match(/secret/)
    expect(JSON.stringify(flags.status())).not.to.match(/secret/)
  })

  it('gives equal turns the same objects, so that nothing is parsed for a turn', async () => {
    const flags = await startWith(opsDocument({ mode: 'direct_llm', guardrails: { gapMs: 7000 } }))
    const [one, two] = [await turn(flags, 1), await turn(flags, 2)]
    expect(one.guardrails).to.equal(two.guardrails)
    expect(one.mode).to.equal(two.mode)
  })

  it('keeps a session on its side while a share grows', async () => {
    const share = (percent: number) => opsDocument({ shadowPercent: percent })
    const flags = await startWith(share(20))
    const sides = async () =>
      Promise.all(Array.from({ length: 100 }, async (_, at) => (await turn(flags, at)).shadow))
    const before = await sides()
    saveByRename(opsFile(), share(60))
    await until('the change', () => lines.some(({ msg }) => msg === '[Flags] changed'))
    const after = await sides()
    expect(before.some(Boolean)).to.equal(true)
    expect(before.map((side, at) => side && !after[at])).not.to.include(true)
  })

  it('lets several services live in one process', async () => {
    const one = await startWith(DIRECT)
    writeFileSync(directory.path('other.json'), RUNTIME)
    const other = await start(CODE_DEFAULTS, directory.path('other.json'))
    expect((await turn(one)).mode.value).to.equal('direct_llm')
    expect((await turn(other)).mode.value).to.equal('runtime_orchestrator')
    await other.close()
    expect((await turn(one)).mode.value).to.equal('direct_llm')
  })

  it('answers before its start and after its end too', async () => {
    const flags = createFlags(flagsConfig(opsFile(), overrideFile()), CODE_DEFAULTS, {
      clock: systemClock,
      logger: capturingLogger().logger,
    })
    expect(flags.status().state).to.equal('starting')
    expect((await turn(flags)).mode.reason).to.equal('code_default')
    await flags.close()
    const started = await startWith(RUNTIME)
    await started.close()
    expect((await turn(started)).mode.value).to.equal('direct_llm')
  })
})
