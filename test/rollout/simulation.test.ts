import { expect } from 'chai'
import { settled } from '../support/turn-runner.js'
import { PLAN, percentIn, setUpRollout, start } from './rollout-setup.js'

/**
 * The loop as it runs, with turns that arrive by chance and a runtime that fails some of them; the fallback is left out, it
 * would stop a bad runtime as well. `ROLLOUT_FIGURES=1` prints what docs/rollout.md tells, from more runs.
 */
const isForFigures = process.env.ROLLOUT_FIGURES === '1'
const RUNS = isForFigures ? 40 : 4
const EVERY_MINUTES = 5

/** Lehmer's generator: the same turns each time. */
function chance(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

interface Scene {
  readonly turnsPerMinute: number
  /** share of failures, by the share of sessions on the runtime */
  failing(percent: number): number
  readonly minutes: number
}

interface Seen {
  /** the highest share that was reached */
  readonly highest: number
  /** minutes until all sessions were on the runtime; and until it was finished */
  readonly allAt: number | undefined
  readonly finishedAt: number | undefined
  readonly end: string
  /** turns that the runtime failed */
  readonly failed: number
}

async function simulate({ turnsPerMinute, failing, minutes }: Scene, seed: number): Promise<Seen> {
  const random = chance(seed)
  const set = setUpRollout()
  await set.start()
  await set.asks(start({ ...PLAN, everyMinutes: EVERY_MINUTES }))
  const seen = {
    highest: 0,
    allAt: undefined as number | undefined,
    finishedAt: undefined as number | undefined,
    failed: 0,
  }
  for (let second = 1; second <= minutes * 60; second += 1) {
    const percent = percentIn(set.files.override)
    seen.highest = Math.max(seen.highest, percent)
    if (percent === 100) seen.allAt ??= second / 60
    for (let turn = 0; turn < turnsPerMinute / 60; turn += 1) {
      if (random() * 100 >= percent) continue
      const isBad = random() < failing(percent)
      seen.failed += Number(isBad)
      set.executes(1, isBad ? 'error' : 'ok', 1000)
    }
    set.clock.advance(1000)
    await settled()
    const { state } = set.rollout.snapshot().rollout.progress
    if (state === 'finished') seen.finishedAt ??= second / 60
    if (state === 'finished' || state === 'ended') break
  }
  const { progress } = set.rollout.snapshot().rollout
  await set.rollout.stop()
  return { ...seen, end: progress.state === 'ended' ? progress.how : progress.state }
}

async function many(name: string, scene: Scene): Promise<Seen[]> {
  const all: Seen[] = []
  for (let seed = 1; seed <= RUNS; seed += 1) all.push(await simulate(scene, seed * 7919))
  if (isForFigures) {
    const worst = Math.max(...all.map(({ highest }) => highest))
    const ends = [...new Set(all.map(({ end }) => end))].join('/')
    const most = (of: (one: Seen) => number | undefined) =>
      Math.max(...all.map((one) => of(one) ?? 0)).toFixed(1)
    console.log(
      `${name}: highest ${worst}%, ends ${ends}, failed turns at most ${most(({ failed }) => failed)}, all at ${most(({ allAt }) => allAt)} min, finished at ${most(({ finishedAt }) => finishedAt)} min`,
    )
  }
  return all
}

describe('the rollout over many simulated turns', function () {
  this.timeout(600_000)

  it('takes a good runtime to 100% in the time of its stages', async () => {
    const all = await many('2% fail', { turnsPerMinute: 600, failing: () => 0.02, minutes: 40 })
    for (const { allAt, finishedAt } of all) {
      expect(allAt).to.be.within(3 * EVERY_MINUTES, 3 * EVERY_MINUTES + 2)
      expect(finishedAt).to.be.within(4 * EVERY_MINUTES, 4 * EVERY_MINUTES + 2)
    }
  })

  it('lets a runtime that fails most turns not beyond the first stage', async () => {
    for (const share of [0.6, 0.9]) {
      const all = await many(`${share * 100}% fail`, {
        turnsPerMinute: 600,
        failing: () => share,
        minutes: 40,
      })
      for (const { highest, end } of all) expect([highest, end]).to.deep.equal([1, 'stopped'])
    }
  })

  it('keeps a runtime that fails a third at the first stage, for that is no breach and not healthy either', async () => {
    const all = await many('35% fail', { turnsPerMinute: 600, failing: () => 0.35, minutes: 40 })
    for (const { highest } of all) expect(highest).to.be.at.most(5)
  })

  it('goes back from the stage whose load the runtime does not bear, and stops', async () => {
    const failing = (percent: number): number => (percent >= 25 ? 0.8 : 0.01)
    const all = await many('80% fail from 25% on', { turnsPerMinute: 600, failing, minutes: 60 })
    for (const { highest, end } of all) expect([highest, end]).to.deep.equal([25, 'stopped'])
  })

  it('waits where too few turns come', async () => {
    const all = await many('few turns', { turnsPerMinute: 60, failing: () => 0, minutes: 6 })
    for (const { highest } of all) expect(highest).to.equal(1)
  })
})
