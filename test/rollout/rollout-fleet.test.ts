import { expect } from 'chai'
import { createFleetEvidence, rolloutToo } from '../../src/fallback/fleet/fleet-evidence.js'
import { createJudgedWindow } from '../../src/metrics/windows/judged-window.js'
import { memoryLink } from '../fallback/fleet/memory-link.js'
import { manualClock } from '../support/manual-clock.js'
import { newFiles, outcomeAt, percentIn, setUpRollout, start } from './rollout-setup.js'

const STEP_MS = 250

describe('a guarded rollout over several replicas', () => {
  const open: { stop(): Promise<void> }[] = []
  afterEach(async () => {
    for (const one of open.splice(0)) await one.stop()
  })

  /** Replicas on one file. */
  async function replicas(count: number, withRedis = true) {
    const redis = memoryLink()
    const [clock, files] = [manualClock(), newFiles()]
    const all = Array.from({ length: count }, (_, at) => {
      const judged = createJudgedWindow(clock)
      const replica = `r${at}`
      const setUp = setUpRollout({ files, replica, clock, judged })
      const told = createFleetEvidence({ link: redis.link, clock, replica })
      const fleet = withRedis ? rolloutToo(judged, told) : undefined
      return { ...setUp, fleet }
    })
    for (const one of all) await one.start()
    open.push(...all)
    return {
      redis,
      /** so many on each */
      executes(each: number, result: 'ok' | 'error' = 'ok') {
        for (const { rollout, fleet, clock } of all)
          for (let at = 0; at < each; at += 1) {
            const outcome = { ...outcomeAt(clock, result, 900), isRollout: true } as const
            rollout.record(outcome)
            fleet?.add(outcome)
          }
      },
      async pass(ms: number) {
        for (let left = ms; left > 0; left -= STEP_MS) {
          redis.state.now += STEP_MS
          await all[0]?.passes(STEP_MS)
          for (const { fleet } of all) await fleet?.exchange({ sawTurn: true, bad: false })
        }
      },
      first: all[0] ?? expect.fail(),
      kinds: () => all.flatMap(({ kept }) => kept.map(({ kind }) => kind)),
      percent: () => percentIn(files.override),
    }
  }

  async function begun(...options: Parameters<typeof replicas>) {
    const fleet = await replicas(...options)
    await fleet.pass(1_000)
    await fleet.first.asks(start())
    await fleet.pass(1_000)
    expect(fleet.percent()).to.equal(1)
    return fleet
  }

  it('goes on by the executions of all, where none has enough of its own', async () => {
    const fleet = await begun(5)
    fleet.executes(2)
    await fleet.pass(62_000)
    expect(fleet.percent()).to.equal(5)
    expect(fleet.first.rollout.snapshot().evidence.total).to.equal(0)
  })

  it('waits without Redis, where none has enough of its own', async () => {
    const fleet = await begun(5, false)
    fleet.executes(2)
    await fleet.pass(62_000)
    expect(fleet.percent()).to.equal(1)
    fleet.executes(8)
    await fleet.pass(2_000)
    expect(fleet.percent()).to.equal(5)
  })

  it('goes back once on a breach that is spread thinly over all', async () => {
    const fleet = await begun(5)
    fleet.executes(2)
    await fleet.pass(62_000)
    fleet.executes(2, 'error')
    await fleet.pass(3_000)
    expect(fleet.percent()).to.equal(1)
    expect(fleet.kinds().filter((kind) => kind === 'lowered')).to.have.length(1)
  })

  it('does not count executions that are not of the rollout, nor those of the stage before', async () => {
    const fleet = await begun(2)
    const { rollout, fleet: evidence, clock } = fleet.first
    for (let at = 0; at < 50; at += 1) evidence?.add(outcomeAt(clock, 'error', 900))
    await fleet.pass(3_000)
    expect(rollout.snapshot().evidence.total).to.equal(0)
    fleet.executes(6)
    await fleet.pass(2_000)
    expect(rollout.snapshot().evidence).to.include({ total: 12, errors: 0 })
    await fleet.pass(62_000)
    expect(fleet.percent()).to.equal(5)
    expect(rollout.snapshot().evidence.total).to.equal(0)
  })
})
