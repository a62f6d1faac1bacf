import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Resolver } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import type { Flags, ServiceFlags } from '../../src/decision/flags.js'
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
import { unhurriedClock } from '../support/unhurried-clock.js'
import { SOON_MS, until } from '../support/until.js'

const OVERRIDE = 'chat-runtime-fallback'
const POLICY = 'chat-runtime-fallback-policy'
/** ms for a killed daemon to be there again for the provider (it waits up to ten seconds) */
const RETURN_MS = 15_000
/** ms for an answer that waits for nobody; generous, for busy machines */
const AT_ONCE_MS = 40
/** As the override's writer leaves it: texts, whole and broken numbers, a truth value. */
const METADATA = {
  state: 'recovering',
  cause: 'error_rate',
  reason: '错误率过高: 55.00% (阈值: 50.00%)',
  value: 0.55,
  threshold: 0.1 + 0.2,
  since: '2026-11-22T10:00:00.000Z',
  evidenceSince: '2026-11-22T10:00:30.125Z',
  trips: 0,
  recoveringPercent: 25,
  revision: 41,
  highest: Number.MAX_SAFE_INTEGER,
  drill: false,
}

/** The operators' file with a policy; `guardrails` shows which of two contents is in force. */
function opsWith(policy: string, gapMs: number): string {
  const document = JSON.parse(opsDocument({ mode: 'runtime_orchestrator', guardrails: { gapMs } }))
  document.flags[POLICY] = {
    state: 'ENABLED',
    variants: { auto: 'auto', observe: 'observe', off: 'off', never: 'never' },
    defaultVariant: policy,
  }
  if (policy !== 'never') document.flags[POLICY].variants = { [policy]: policy }
  return JSON.stringify(document, null, 2)
}

function overrideWith(revision: number, on = false, setMetadata?: object): string {
  const document = JSON.parse(overrideDocument(on ? 'on' : 'off'))
  document.flags[OVERRIDE].metadata = { ...METADATA, revision }
  if (setMetadata !== undefined) document.metadata = setMetadata
  return JSON.stringify(document, null, 2)
}

for (const resolver of ['file', 'in-process', 'rpc'] as const)
  describe(`the service's flags by resolver ${resolver} (${flagdKind === 'flagd' ? 'the real flagd' : 'the flagd simulator'})`, () => {
    const directory = temporaryDirectory()
    const opened: Flags[] = []
    let daemon: TestFlagd | undefined
    let lines: Record<string, unknown>[] = []

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((flags) => flags.close()))
      daemon?.thaw()
      await daemon?.close()
      daemon = undefined
    })

    const opsFile = () => directory.path('chat.flagd.json')
    const overrideFile = () => directory.path('auto-fallback.flagd.json')

    async function start(
      override = overrideWith(41),
      ops = opsWith('observe', 7000),
      clock = systemClock,
    ): Promise<Flags> {
      writeFileSync(opsFile(), ops)
      writeFileSync(overrideFile(), override)
      const flags = open(await portOf(resolver), clock)
      await flags.start()
      await until('ready', () => flags.status().state === 'ready')
      return flags
    }

    async function portOf(by: Resolver): Promise<number> {
      if (by === 'file') return 1
      daemon = await startTestFlagd([opsFile(), overrideFile()])
      return by === 'rpc' ? daemon.evaluationPort : daemon.syncPort
    }

    function open(port: number, clock = systemClock): Flags {
      const capturing = capturingLogger()
      lines = capturing.lines
      const config = flagsConfig(opsFile(), overrideFile(), resolver, port)
      const flags = createFlags(config, CODE_DEFAULTS, { clock, logger: capturing.logger })
      opened.push(flags)
      return flags
    }

    /** As asked of a healthy daemon; once more where a busy machine let it run out of its 50 ms. */
    async function ask(flags: Flags): Promise<ServiceFlags> {
      let answer = await flags.forService()
      await until('an answer', async () => {
        if (answer.ready && answer.override !== undefined) return true
        answer = await flags.forService()
        return false
      })
      return answer
    }

    async function askUntil(flags: Flags, what: string, holds: (answer: ServiceFlags) => boolean) {
      await until(what, async () => holds(await flags.forService()), RETURN_MS)
    }

    const revisionOf = ({ override }: ServiceFlags) => override?.metadata.revision

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

    it("are the guardrails, the policy and the override with its metadata, the file's own merged in", async () => {
      const flags = await start(overrideWith(41, true, { owner: 'service', trips: 9 }))
      const answer = await ask(flags)
      expect(answer.guardrails.gapMs).to.equal(7000)
      expect(answer.policy).to.equal('observe')
      expect(answer.override?.on).to.equal(true)
      expect(answer.override?.metadata).to.deep.include({ ...METADATA, owner: 'service' })
      if (flagdKind === 'simulator')
        expect(answer.override?.metadata).to.deep.equal({ ...METADATA, owner: 'service' })
    })

    it('share the revision with the turns, which share one object', async () => {
      const flags = await start(overrideWith(41))
      await ask(flags)
      const overrideOf = async (at: number) => (await flags.forTurn(callerOf(at))).override
      await until('the revision', async () => (await overrideOf(1)).revision === 41)
      await until('one object', async () => (await overrideOf(2)) === (await overrideOf(1)))
      expect(await overrideOf(1)).to.deep.equal({ on: false, revision: 41 })
      saveByRename(overrideFile(), overrideWith(42, true))
      await until('the new revision', async () => (await overrideOf(1)).revision === 42)
      expect((await overrideOf(1)).on).to.equal(true)
    })

    it('are in force when a change is told, each rewrite of the override with its revision', async () => {
      // By rpc an answer that misses its 50 ms has no override: here a busy machine has ten times as long.
      const clock = resolver === 'rpc' ? unhurriedClock : systemClock
      const flags = await start(overrideWith(1), undefined, clock)
      const heard: { keys: readonly string[]; revision: unknown }[] = []
      flags.onChange((keys) => {
        void flags.forService().then((answer) => heard.push({ keys, revision: revisionOf(answer) }))
      })
      const named = () => heard.filter(({ keys }) => keys.length > 0)
      for (const revision of [2, 3, 4]) {
        saveByRename(overrideFile(), overrideWith(revision))
        await until(`revision ${revision}`, () => heard.at(-1)?.revision === revision)
      }
      expect(named()).to.deep.equal([2, 3, 4].map((revision) => ({ keys: [OVERRIDE], revision })))
      saveByRename(opsFile(), opsWith('observe', 8000))
      await until('the guardrails', () => named().length === 4)
      expect(named().at(-1)?.keys).to.deep.equal(['chat-runtime-guardrails'])
      expect((await ask(flags)).guardrails.gapMs).to.equal(8000)
    })

    it('tell changes although a listener throws, until it is stopped or the flags are closed', async () => {
      const flags = await start(overrideWith(1))
      let [heard, stopped] = [0, 0]
      flags.onChange(([key]) => {
        if (key !== undefined) throw new Error('broken listener')
      })
      const stop = flags.onChange(([key]) => {
        if (key !== undefined) stopped += 1
      })
      flags.onChange(([key]) => {
        if (key !== undefined) heard += 1
      })
      saveByRename(overrideFile(), overrideWith(2))
      await until('the first change', () => heard === 1 && stopped === 1)
      stop()
      saveByRename(overrideFile(), overrideWith(3))
      await until('the second change', () => heard === 2)
      await askUntil(flags, 'revision 3', (answer) => revisionOf(answer) === 3)
      expect(lines.filter(({ err }) => err === 'broken listener')).to.have.length(2)
      const closing = flags.close()
      saveByRename(overrideFile(), overrideWith(4))
      await closing
      const last = await flags.forService()
      expect(last.ready).to.equal(false)
      expect(last.guardrails.gapMs).to.equal(7000)
      expect([heard, stopped]).to.deep.equal([2, 1])
    })

    it('keep the last good policy when a wrong one is written, and the status says so until it is mended', async () => {
      const flags = await start()
      expect((await ask(flags)).policy).to.equal('observe')
      saveByRename(opsFile(), opsWith('never', 8000))
      await askUntil(flags, 'the other flags', ({ guardrails }) => guardrails.gapMs === 8000)
      expect((await ask(flags)).policy).to.equal('observe')
      const told = () =>
        flags.status().faults.filter(({ message }) => /auto.*observe.*off/.test(message)).length
      await until('the fault', async () => told() > 0)
      expect(flags.status().state).to.equal('stale')
      saveByRename(opsFile(), opsWith('off', 8000))
      await askUntil(flags, 'the policy', ({ policy }) => policy === 'off')
      await until('no fault', () => flags.status().faults.length === 0)
    })

    it('have no override where nobody serves one, and code defaults where the operators took theirs away', async () => {
      writeFileSync(opsFile(), '{"flags": {}}')
      writeFileSync(overrideFile(), '{"flags": {}}')
      const flags = open(await portOf(resolver))
      await flags.start()
      const answer = await flags.forService()
      expect(answer).not.to.have.property('override')
      expect(answer.policy).to.equal('auto')
      expect(answer.guardrails.gapMs).to.equal(60_000)
    })

    it('are code defaults before the start', async () => {
      const answer = await open(1).forService()
      expect(answer).to.deep.include({ policy: 'auto', ready: false })
      expect(answer).not.to.have.property('override')
    })

    if (resolver === 'file') return

    it('are the last known good ones while the daemon is dead, and a listener is told of its return', async function () {
      this.timeout(RETURN_MS + 5000)
      const flags = await start()
      await ask(flags)
      const heard: (readonly string[])[] = []
      flags.onChange((keys) => heard.push(keys))
      await daemon?.kill()
      await until('the loss', () => flags.status().state === 'stale')
      const took = await medianMs(20, async () => {
        const { policy, guardrails, ready } = await flags.forService()
        expect({ policy, ready }).to.deep.equal({ policy: 'observe', ready: false })
        expect(guardrails.gapMs).to.equal(7000)
      })
      expect(took, 'ms an answer').to.be.lessThan(AT_ONCE_MS)
      // In-process the provider goes on answering from what it has; by rpc nothing is remembered of an override.
      expect(revisionOf(await flags.forService())).to.equal(resolver === 'in-process' ? 41 : undefined)
      expect(heard).to.deep.equal([])
      writeFileSync(overrideFile(), overrideWith(50))
      await daemon?.start()
      await until('a word of the return', () => heard.some((keys) => keys.length === 0), RETURN_MS)
      await askUntil(
        flags,
        'what was written meanwhile',
        (answer) => answer.ready && revisionOf(answer) === 50,
      )
    })

    it('are bounded in time while the daemon is silent', async () => {
      const flags = await start()
      await ask(flags)
      let heard = 0
      flags.onChange(() => {
        heard += 1
      })
      daemon?.freeze()
      expect(await msOf(() => flags.forService()), 'ms of the first answer').to.be.lessThan(SOON_MS)
      const rest = await medianMs(50, () => flags.forService())
      expect(rest, 'ms of each other answer').to.be.lessThan(AT_ONCE_MS)
      const answer = await flags.forService()
      expect(answer.policy).to.equal('observe')
      expect(answer.guardrails.gapMs).to.equal(7000)
      if (resolver === 'rpc') expect(answer).not.to.have.property('override')
      expect(answer.ready).to.equal(resolver === 'in-process')
      saveByRename(overrideFile(), overrideWith(60))
      daemon?.thaw()
      await askUntil(flags, 'the revision', (back) => back.ready && revisionOf(back) === 60)
      await until('a word of it', () => heard > 0)
    })
  })
