import { expect } from 'chai'
import { testRuns } from '../support/test-runs.js'
import { play } from './simulation.js'

/** `CHAT_TEST_RUNS=80 FIRST_SEED=1` for a long run by hand; `SEED=…` plays one schedule and prints all of it on failure. */
const COUNT = testRuns(600)
const FIRST = Number(process.env.FIRST_SEED ?? 1)
const ONE = process.env.SEED
/** schedules in one test, so that the reader sees it move */
const BATCH = 200

describe('replicas on one store, in simulated worlds', () => {
  if (ONE !== undefined) {
    it(`keep the rules under seed ${ONE}`, () => {
      expect(play(Number(ONE), { trace: true }).revision).to.be.at.least(0)
    })
    return
  }

  const kinds = new Set<string>()
  for (let first = FIRST; first < FIRST + COUNT; first += BATCH) {
    const last = Math.min(first + BATCH, FIRST + COUNT) - 1
    it(`keep the rules under seeds ${first} to ${last}`, function () {
      this.timeout(120_000)
      for (let seed = first; seed <= last; seed += 1)
        for (const kind of play(seed).kinds.keys()) kinds.add(kind)
    })
  }

  it('play the same schedule for the same seed, to the last event', () => {
    const [first, second] = [play(7, { trace: true }), play(7, { trace: true })]
    expect(first.trace).to.have.length.above(10)
    expect(second.trace).to.deep.equal(first.trace)
  })

  it('came by every kind of move', () => {
    expect([...kinds]).to.include.members([
      'trip',
      'relapse',
      'recovery_begun',
      'ramp_step',
      'recovered',
      'reset',
      'triggered',
      'manual_expired',
      'policy_off',
      'hand_edit',
      'isolated',
      'lost trip',
      'trip of orgs',
      'trip of agents',
      'recovered of orgs',
      'recovered of agents',
      'widened',
      'widened of orgs',
      'widened of agents',
      'written late',
      'hold ended by an unhealthy direct LLM',
    ])
  })
})
