import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { DRILL } from '../chaos/guardrails.js'
import { saveText } from '../chaos/human.js'
import { Stage } from '../chaos/stage.js'
import { waitFor } from '../chaos/wait-for.js'

/** Nothing hangs here: deadlines are for the machine alone, which may be busy. */
const PATIENT = {
  ...DRILL,
  probeTimeoutMs: 2000,
  headersMs: 10_000,
  firstContentMs: 15_000,
  gapMs: 15_000,
  totalMs: 60_000,
  llm: { connectMs: 3000, headersMs: 10_000, firstContentMs: 15_000, gapMs: 15_000 },
} as const

/** ms; five seconds on a quiet machine */
const PATIENCE_MS = 100_000

/** The fallback with real processes: two replicas on the same files under 40 turns/s. `npm run chaos` breaks far more. */
describe('the fallback under load', function () {
  this.timeout(150_000)
  let stage: Stage

  before(async () => {
    stage = await Stage.open({ replicas: 2, perSecond: 40, guardrails: PATIENT })
  })

  afterEach(() => {
    const failed = stage.traffic.ended.filter(({ kind }) => kind === 'failed_before' || kind === 'broken')
    expect(failed.slice(0, 3), 'turns that failed before the commit point').to.deep.equal([])
    expect(stage.watch.faults, 'contents of the override').to.deep.equal([])
    expect(stage.human.isKept, "the operators' last edit").to.equal(true)
  })

  after(() => stage.close())

  it('takes over when the runtime is killed, and gives back when it is well again', async () => {
    const since = stage.runtime.kill()
    const { override } = await stage.fileIs('fallback', since)
    expect(override?.auto).to.include({ state: 'fallback' })
    stage.human.remark()
    await waitFor('both replicas to decide for the direct LLM', () => {
      const after = stage.traffic.ended.filter(({ reason }) => reason === 'fallback')
      return new Set(after.map(({ replica }) => replica)).size === 2 ? '' : `${after.length} turns`
    })
    expect(stage.watch.last?.trips, 'one outage, one trip').to.equal(1)
    await stage.runtime.restart()
    await stage.backToNormal(PATIENCE_MS)
    const kinds = (await stage.replica('b').operator.history()).map(({ kind }) => kind).toReversed()
    expect(kinds[0]).to.equal('trip')
    expect(kinds.filter((kind) => kind !== 'trip' && kind !== 'relapse')).to.include.members([
      'recovery_begun',
      'ramp_step',
      'recovered',
    ])
  })

  it('takes a torn file for no answer, keeps a copy aside and mends it', async () => {
    const { overrideFile } = stage.parts
    const torn = readFileSync(overrideFile, 'utf8').slice(0, 100)
    stage.watch.expect(torn)
    const since = performance.now()
    saveText(overrideFile, torn)
    await stage.fileIs('normal', since)
    await stage.backToNormal()
  })

  it('obeys a hand edit of the override, and one that takes it back', async () => {
    const { overrideFile } = stage.parts
    const text = readFileSync(overrideFile, 'utf8')
    const on = text.replace('"defaultVariant": "off"', '"defaultVariant": "on"')
    expect(on).not.to.equal(text)
    const since = performance.now()
    stage.watch.expect(on)
    saveText(overrideFile, on, true)
    await stage.fileSays('that a person switched it on', since, ({ manual }) => manual.scope === 'all')
    for (const { operator } of stage.replicas)
      await waitFor('the replica to follow', async () =>
        (await operator.status()).manual.scope.replace('all', ''),
      )
    const manualAt = performance.now()
    const later = () => stage.traffic.ended.filter(({ startedAt }) => startedAt > manualAt)
    await waitFor('turns started since then', async () => (later().length < 20 ? 'not enough' : ''))
    expect(later().filter(({ decided }) => decided === 'runtime_orchestrator')).to.deep.equal([])
    const neutral = readFileSync('flags/auto-fallback.flagd.json', 'utf8')
    stage.watch.expect(neutral)
    saveText(overrideFile, neutral)
    await stage.backToNormal()
  })
})
