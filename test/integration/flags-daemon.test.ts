import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { CodeDefaults } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import type { Flags, FlagsStatus, TurnFlags } from '../../src/decision/flags.js'
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
import { freePort } from '../support/free-port.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { SOON_MS, until } from '../support/until.js'

const RUNTIME = opsDocument({
  mode: 'direct_llm',
  runtimeOrgs: ['org-1'],
  shadowPercent: 100,
  guardrails: { gapMs: 7000 },
  profile: { model: 'm' },
})
const DIRECT = opsDocument({ mode: 'direct_llm', shadowPercent: 0 })
/** ms for a killed daemon to be there again for the provider (it waits up to ten seconds) */
const RETURN_MS = 15_000
/** ms for a turn that waits for nobody; generous, for busy machines */
const AT_ONCE_MS = 40

for (const resolver of ['in-process', 'rpc'] as const)
  describe(`flags by resolver ${resolver} (${flagdKind === 'flagd' ? 'the real flagd' : 'the flagd simulator'})`, () => {
    const directory = temporaryDirectory()
    let flagd: TestFlagd | undefined
    let open: Flags[] = []
    let lines: Record<string, unknown>[] = []

    afterEach(async () => {
      await Promise.all(open.map((flags) => flags.close()))
      open = []
      flagd?.thaw()
      await flagd?.close()
      flagd = undefined
    })

    const opsFile = () => directory.path('chat.flagd.json')
    const overrideFile = () => directory.path('auto-fallback.flagd.json')

    async function startFlagd(ops = RUNTIME, override = overrideDocument('off')): Promise<TestFlagd> {
      writeFileSync(opsFile(), ops)
      writeFileSync(overrideFile(), override)
      flagd = await startTestFlagd([opsFile(), overrideFile()])
      return flagd
    }

    async function startFlags(
      port: number,
      environment: CodeDefaults = CODE_DEFAULTS,
      files = [opsFile(), overrideFile()],
    ): Promise<Flags> {
      const capturing = capturingLogger()
      lines = capturing.lines
      const [ops = '', override = ''] = files
      const flags = createFlags(flagsConfig(ops, override, resolver, port), environment, {
        clock: systemClock,
        logger: capturing.logger,
      })
      open.push(flags)
      await flags.start()
      return flags
    }

    const portOf = ({ syncPort, evaluationPort }: TestFlagd) =>
      resolver === 'rpc' ? evaluationPort : syncPort

    async function startBoth(ops?: string, override?: string): Promise<{ flagd: TestFlagd; flags: Flags }> {
      const daemon = await startFlagd(ops, override)
      return { flagd: daemon, flags: await startFlags(portOf(daemon)) }
    }

    const turn = (flags: Flags, at = 1, org?: string): Promise<TurnFlags> => flags.forTurn(callerOf(at, org))
    const warnings = () => lines.filter(({ level }) => level === 40).map(({ msg }) => msg)
    const stateIs = (flags: Flags, state: FlagsStatus['state'], ms?: number) =>
      until(state, () => flags.status().state === state, ms)

    /** A turn of a healthy daemon; once more where a busy machine let it run out of its 50 ms. */
    async function goodTurn(flags: Flags, at = 1, org?: string): Promise<TurnFlags> {
      for (;;) {
        const values = await turn(flags, at, org)
        if (flags.status().state === 'ready' && values.mode.reason !== 'stale') return values
        await stateIs(flags, 'ready')
      }
    }

    async function turnUntil(
      flags: Flags,
      holds: (turn: TurnFlags) => boolean,
      ms = 2000,
      at = 1,
    ): Promise<void> {
      const giveUpAt = performance.now() + ms
      for (let last = await turn(flags, at); !holds(last); last = await turn(flags, at)) {
        if (performance.now() > giveUpAt) throw new Error(`still ${JSON.stringify(last)}`)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    }

    async function msOf(work: () => Promise<unknown>): Promise<number> {
      const startedAt = performance.now()
      await work()
      return performance.now() - startedAt
    }

    /** The median of so many answers: where each waited for its bound, the median does; a busy machine delays a few. */
    async function medianMs(times: number, work: (at: number) => Promise<unknown>): Promise<number> {
      const took: number[] = []
      for (let at = 0; at < times; at++) took.push(await msOf(() => work(at)))
      return took.sort((a, b) => a - b)[Math.floor(times / 2)] ?? 0
    }

    it('are those of the daemon too where its files give them as a list', async () => {
      const asList = (text: string) => {
        const { flags }: { flags: Record<string, object> } = JSON.parse(text)
        return JSON.stringify({ flags: Object.entries(flags).map(([key, flag]) => ({ key, ...flag })) })
      }
      const { flags } = await startBoth(asList(RUNTIME), asList(overrideDocument('on')))
      await stateIs(flags, 'ready')
      expect(flags.status()).to.deep.equal({ resolver, state: 'ready', faults: [] })
      const values = await goodTurn(flags)
      expect([values.mode.value, values.override.on]).to.deep.equal(['runtime_orchestrator', true])
    })

    it('are those of the daemon, with their reasons', async () => {
      const { flags } = await startBoth()
      await stateIs(flags, 'ready')
      expect(flags.status()).to.deep.equal({ resolver, state: 'ready', faults: [] })
      const runtime = await goodTurn(flags, 1, 'org-1')
      expect(runtime).to.deep.include({
        mode: { value: 'runtime_orchestrator', reason: 'targeting_match' },
        shadow: true,
        override: { on: false },
        profile: { model: 'm' },
      })
      expect(runtime.guardrails).to.include({ gapMs: 7000, totalMs: 300_000 })
      expect((await goodTurn(flags, 1, 'org-2')).mode).to.deep.equal({
        value: 'direct_llm',
        reason: 'default',
      })
    })

    it('change when a file is saved, and the log says which', async () => {
      const { flags } = await startBoth()
      saveByRename(opsFile(), DIRECT)
      await turnUntil(flags, ({ mode }) => mode.value === 'direct_llm')
      saveByRename(overrideFile(), overrideDocument('on'))
      await turnUntil(flags, ({ override }) => override.on)
      await until('both changes', () => lines.filter(({ msg }) => msg === '[Flags] changed').length >= 2)
      const changes = lines.filter(({ msg }) => msg === '[Flags] changed')
      expect(changes[0]).to.include({ file: opsFile() })
      expect(changes[0]?.flags).to.include('chat-execution-mode')
      expect(changes.at(-1)).to.deep.include({ file: overrideFile(), flags: ['chat-runtime-fallback'] })
    })

    it('are the code defaults for a flag whose owner took it away', async () => {
      const { flags } = await startBoth()
      saveByRename(opsFile(), '{"flags": {}}')
      await turnUntil(flags, ({ mode }) => mode.reason === 'code_default')
      expect((await goodTurn(flags)).guardrails.gapMs).to.equal(60_000)
      expect(flags.status().faults).to.deep.equal([])
    })

    it('stay as last known while the daemon is dead, and it is told once', async () => {
      const both = await startBoth()
      const { flags } = both
      await goodTurn(flags)
      lines.length = 0
      await both.flagd.kill()
      await stateIs(flags, 'stale')
      const took = await medianMs(20, async () =>
        expect((await turn(flags)).mode).to.include({ value: 'runtime_orchestrator', reason: 'stale' }),
      )
      expect(took, 'ms a turn').to.be.lessThan(AT_ONCE_MS)
      expect(warnings()).to.deep.equal([
        '[Flags] flagd does not answer; last known good values are in force, then code defaults',
      ])
      for (let at = 90; at < 100; at++)
        expect((await turn(flags, at)).mode, 'of a session never seen').to.include({
          value: 'runtime_orchestrator',
          reason: 'stale',
        })
      expect([...flags.codeDefaults().values()]).to.deep.equal([0, 0, 0, 0, 0, 0, 0])
    })

    it('come back by themselves when the daemon does', async function () {
      this.timeout(RETURN_MS + 5000)
      const both = await startBoth()
      const { flags } = both
      await goodTurn(flags)
      lines.length = 0
      await both.flagd.kill()
      await stateIs(flags, 'stale')
      writeFileSync(opsFile(), DIRECT)
      await both.flagd.start()
      await turnUntil(
        flags,
        ({ mode }) => mode.value === 'direct_llm' && mode.reason === 'default',
        RETURN_MS,
      )
      await stateIs(flags, 'ready')
      expect(flags.status().faults).to.deep.equal([])
      expect(lines.filter(({ msg }) => String(msg).startsWith('[Flags] mended: flagd'))).to.have.length(1)
    })

    it('are the same for bursts of new sessions', async () => {
      const { flags } = await startBoth()
      await goodTurn(flags)
      for (let burst = 0; burst < 4; burst++) {
        const turns = await Promise.all(Array.from({ length: 25 }, (_, at) => turn(flags, 100 * burst + at)))
        expect(turns.filter(({ mode }) => mode.value !== 'runtime_orchestrator')).to.deep.equal([])
        expect(turns.filter(({ mode }) => mode.reason === 'code_default')).to.deep.equal([])
      }
      expect([...flags.codeDefaults().values()]).to.deep.equal([0, 0, 0, 0, 0, 0, 0])
    })

    it('are bounded in time while the daemon is silent, and come back with it', async () => {
      const both = await startBoth()
      const { flags } = both
      await goodTurn(flags)
      both.flagd.freeze()
      expect(await msOf(() => turn(flags)), 'ms of the first turn').to.be.lessThan(SOON_MS)
      const rest = await medianMs(50, (at) => turn(flags, at))
      expect(rest, 'ms of each other turn').to.be.lessThan(AT_ONCE_MS)
      expect((await turn(flags)).mode.value).to.equal('runtime_orchestrator')
      if (resolver === 'rpc') {
        expect((await turn(flags)).mode.reason).to.equal('stale')
        expect(flags.status().state).to.equal('stale')
      }
      both.flagd.thaw()
      await turnUntil(flags, ({ mode }) => mode.reason === 'targeting_match', RETURN_MS)
      await stateIs(flags, 'ready')
    })

    it('start on code defaults within their bound when nobody is there, and become ready later', async function () {
      this.timeout(RETURN_MS + 10_000)
      writeFileSync(opsFile(), RUNTIME)
      writeFileSync(overrideFile(), overrideDocument('off'))
      const daemon = await startFlagd()
      await daemon.kill()
      let flags: Flags | undefined
      const took = await msOf(async () => {
        flags = await startFlags(portOf(daemon), { ...CODE_DEFAULTS, enabledOrgs: ['org-9'] })
      })
      if (flags === undefined) throw new Error('not started')
      expect(took, 'ms to start').to.be.lessThan(SOON_MS)
      expect(flags.status().state).to.equal('unavailable')
      expect((await turn(flags, 1, 'org-9')).mode).to.deep.equal({
        value: 'runtime_orchestrator',
        reason: 'code_default',
      })
      expect((await turn(flags)).mode).to.deep.equal({ value: 'direct_llm', reason: 'code_default' })
      await daemon.start()
      await turnUntil(flags, ({ mode }) => mode.reason === 'targeting_match', RETURN_MS)
      await stateIs(flags, 'ready')
      lines.length = 0
      saveByRename(opsFile(), DIRECT)
      await until('the change in the log', () => lines.some(({ msg }) => msg === '[Flags] changed'))
    })

    it('start within their bound when the daemon is silent', async () => {
      const daemon = await startFlagd()
      daemon.freeze()
      const took = await msOf(() => startFlags(portOf(daemon)))
      expect(took, 'ms to start').to.be.lessThan(SOON_MS)
      const [flags] = open
      if (flags === undefined) throw new Error('not started')
      expect(flags.status().state).to.equal('unavailable')
      expect(await medianMs(20, () => turn(flags))).to.be.lessThan(AT_ONCE_MS)
      daemon.thaw()
      await stateIs(flags, 'ready', RETURN_MS)
    })

    it('say so when the daemon has none of ours', async () => {
      const { flags } = await startBoth('{"flags": {}}', '{"flags": {}}')
      await until('the fault', () =>
        flags.status().faults.some(({ message }) => message.includes("none of this service's flags")),
      )
      expect(flags.status().state).to.equal('unavailable')
      expect((await turn(flags)).mode).to.deep.equal({ value: 'direct_llm', reason: 'code_default' })
      saveByRename(opsFile(), RUNTIME)
      saveByRename(overrideFile(), overrideDocument('off'))
      await turnUntil(flags, ({ mode }) => mode.reason === 'targeting_match')
      await stateIs(flags, 'ready')
    })

    it('keep the last good object when a wrong one is served, and say why', async function () {
      this.timeout(RETURN_MS + 10_000)
      const { flags } = await startBoth()
      await goodTurn(flags)
      saveByRename(opsFile(), opsDocument({ mode: 'direct_llm', guardrails: { gapMs: -1 } }))
      await turnUntil(flags, ({ mode }) => mode.value === 'direct_llm')
      await turnUntil(flags, ({ guardrails }) => guardrails.gapMs === 7000, 2000, 7)
      expect(
        flags
          .status()
          .faults.map(({ message }) => message)
          .join(),
      ).to.match(/gapMs/)
      saveByRename(opsFile(), opsDocument({ mode: 'direct_llm', guardrails: { gapMs: 8000 } }))
      await turnUntil(flags, ({ guardrails }) => guardrails.gapMs === 8000)
      // The answer to a question from before the change may come after it; then the fault is over 10 s later.
      await turnUntil(flags, () => flags.status().state === 'ready', RETURN_MS)
    })

    it("name the line over which daemon or provider refuse the operators' file in silence", async () => {
      const { flags } = await startBoth()
      await goodTurn(flags)
      saveByRename(opsFile(), DIRECT.replace('ENABLED', 'on'))
      await until('the fault', () => flags.status().faults.some(({ line }) => line === 4))
      expect(lines.find(({ level, line }) => level === 40 && line === 4)).to.include({ where: opsFile() })
      expect(flags.status().state).to.equal('stale')
      if (resolver === 'in-process') expect((await turn(flags)).mode.value).to.equal('runtime_orchestrator')
      saveByRename(opsFile(), DIRECT)
      await turnUntil(flags, ({ mode }) => mode.value === 'direct_llm')
      await stateIs(flags, 'ready')
    })

    it('find no fault in files that are on another machine', async () => {
      const daemon = await startFlagd()
      const elsewhere = [directory.path('none', 'a.json'), directory.path('none', 'b.json')]
      const flags = await startFlags(portOf(daemon), CODE_DEFAULTS, elsewhere)
      await stateIs(flags, 'ready')
      expect(flags.status()).to.deep.equal({ resolver, state: 'ready', faults: [] })
    })

    it('keep the reason of a turn honest when nobody was ever there', async () => {
      const flags = await startFlags(await freePort())
      expect(await medianMs(20, (at) => turn(flags, at)), 'ms a turn').to.be.lessThan(AT_ONCE_MS)
      expect((await turn(flags)).mode.reason).to.equal('code_default')
      expect(flags.codeDefaults().get('chat-execution-mode')).to.equal(21)
      expect(warnings()).to.have.length(1)
    })
  })
