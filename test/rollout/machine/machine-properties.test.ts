import { expect } from 'chai'
import fc from 'fast-check'
import type { StageVerdict } from '../../../src/rollout/stage-verdict.js'
import { percentOf, type Rollout, type RolloutPlan } from '../../../src/store/rollout/rollout.js'
import { testRuns } from '../../support/test-runs.js'
import { BREACH, command, HEALTHY, PLAN, Replica, start, TOO_FEW, World } from './driven.js'

const runs = { numRuns: testRuns(30) }

const verdict = fc.constantFrom<StageVerdict>(HEALTHY, HEALTHY, TOO_FEW, BREACH)
const who = fc.constantFrom('a' as const, 'b' as const)
/** What may happen, in any order: ticks and writes are apart, so that replicas come in between each other's. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('tick' as const), who, verdict }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('round' as const), who, verdict }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1000, 10_000, 30_000, 61_000),
    }),
  },
  // A minute in which all goes its way, as far as nothing else is under way.
  { weight: 4, arbitrary: fc.record({ do: fc.constant('minute' as const), verdict }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fallback' as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('break store' as const), isWritable: fc.boolean() }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Seen {
  readonly rollout: Rollout
  readonly at: number
}

/** Plays the steps on two replicas; what the file said, in order. */
function play(steps: readonly Step[], plan: RolloutPlan = PLAN) {
  const world = new World()
  const replicas = { a: new Replica('a', world), b: new Replica('b', world) }
  replicas.a.round()
  replicas.b.round()
  replicas.a.command(start(plan))
  const history: Seen[] = []
  let last = ''
  const look = (): void => {
    if (world.text === undefined || world.text === last) return
    last = world.text
    const { seen } = world
    if (seen.kind !== 'rollout') throw new Error('the file is not one of ours')
    history.push({ rollout: seen.rollout, at: world.now })
  }
  look()
  const tick = (name: 'a' | 'b', said: StageVerdict): void => {
    replicas[name].verdict = said
    replicas[name].tick()
  }
  for (const happening of steps) {
    switch (happening.do) {
      case 'tick':
        tick(happening.who, happening.verdict)
        break
      case 'write':
        replicas[happening.who].write()
        break
      case 'round':
        tick(happening.who, happening.verdict)
        replicas[happening.who].write()
        break
      case 'wait':
        world.now += happening.ms
        break
      case 'minute':
        for (let at = 0; at < 64_000; at += 4000) {
          world.now += 4000
          for (const name of ['a', 'b'] as const) {
            tick(name, happening.verdict)
            replicas[name].write()
            look()
          }
        }
        break
      case 'pause':
      case 'resume':
        replicas[happening.who].command(command(happening.do))
        break
      case 'restart':
        replicas[happening.who].restart()
        break
      case 'fallback':
        world.hold = happening.on ? 'fallback' : null
        break
      case 'break store':
        world.isWritable = happening.isWritable
        break
    }
    look()
  }
  return { world, replicas, history }
}

const steps = fc.array(step, { minLength: 20, maxLength: 150 })

describe('the machine of the rollout, whatever happens', () => {
  it('moves one stage at a time, never above the last one, and raises only after the time and a healthy verdict', () => {
    let raised = 0
    fc.assert(
      fc.property(steps, (happenings) => {
        const { history, replicas } = play(happenings)
        const all = [...replicas.a.changes, ...replicas.b.changes]
        for (const [at, { rollout, at: now }] of history.entries()) {
          const before = history[at - 1]
          const percent = percentOf(rollout.progress)
          expect([0, ...PLAN.stages]).to.include(percent)
          if (before === undefined) continue
          const had = percentOf(before.rollout.progress)
          const stages = [0, ...PLAN.stages]
          const moved = stages.indexOf(percent) - stages.indexOf(had)
          if (percent > had) {
            raised += 1
            expect(moved).to.equal(1)
            expect(before.rollout.progress.state).to.equal('running')
            // The stage's time was over.
            const began = history.findLast(
              ({ rollout: { progress } }, when) => when < at && percentOf(progress) !== had,
            )
            expect(now - (began?.at ?? history[0]?.at ?? 0)).to.be.at.least(PLAN.everyMinutes * 60_000)
          }
          if (percent < had && percent > 0) expect(moved).to.equal(-1)
        }
        for (const { kind, fromPercent, toPercent } of all)
          if (kind === 'raised')
            expect(PLAN.stages.indexOf(toPercent)).to.equal(PLAN.stages.indexOf(fromPercent) + 1)
      }),
      // About every other schedule comes to one.
      { numRuns: testRuns(120) },
    )
    expect(raised).to.be.greaterThan(20)
  })

  it('never raises without a healthy verdict of that stage', () => {
    fc.assert(
      fc.property(steps, (happenings) => {
        const unwell = happenings.map((one) =>
          'verdict' in one && one.verdict.kind === 'healthy' ? { ...one, verdict: TOO_FEW } : one,
        )
        const { history } = play(unwell)
        const percents = history.map(({ rollout }) => percentOf(rollout.progress))
        expect(percents.every((percent, at) => at === 0 || percent <= (percents[at - 1] ?? 0))).to.equal(true)
      }),
      runs,
    )
  })

  it('is at 0 for good after two breaches without a passed stage in between', () => {
    let stopped = 0
    fc.assert(
      fc.property(steps, (happenings) => {
        const { history } = play(happenings)
        for (const [at, { rollout }] of history.entries()) {
          const before = history[at - 1]?.rollout.progress
          if (before?.state === 'ended') expect(rollout.progress.state).to.equal('ended')
          if (before?.state !== 'running' || before.failed === undefined) continue
          // Lowered once: it goes on as before, up, to a pause, or it stops. It is not lowered again.
          const percent = percentOf(rollout.progress)
          if (percent < percentOf(before)) {
            expect(rollout.progress.state).to.equal('ended')
            stopped += 1
          }
        }
      }),
      { numRuns: testRuns(120) },
    )
    expect(stopped).to.be.greaterThan(0)
  })

  it('changes nothing while it is paused', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const paused: Step[] = [
          { do: 'break store', isWritable: true },
          { do: 'pause', who: 'a' },
          { do: 'round', who: 'b', verdict: TOO_FEW },
        ]
        const still = after.filter((one) => one.do !== 'resume')
        const { history, world } = play([...before, ...paused, ...still])
        const index = history.findIndex(({ rollout }) => rollout.progress.state === 'paused')
        const last = history.at(-1)?.rollout.progress
        if (last?.state !== 'paused') return
        const since = history.findLastIndex(({ rollout }) => rollout.progress.state !== 'paused')
        expect(index).to.be.at.least(0)
        const shares = history.slice(since + 1).map(({ rollout }) => percentOf(rollout.progress))
        expect(new Set(shares).size).to.equal(1)
        expect(world.percent).to.equal(shares[0])
      }),
      runs,
    )
  })

  it('is the same after a restart of every replica', () => {
    fc.assert(
      fc.property(steps, (happenings) => {
        const { world, replicas } = play([...happenings, { do: 'break store', isWritable: true }])
        for (let rounds = 0; rounds < 3; rounds += 1) {
          world.now += 31_000
          replicas.a.verdict = TOO_FEW
          replicas.b.verdict = TOO_FEW
          replicas.a.round()
          replicas.b.round()
        }
        const known = replicas.a.state.force
        replicas.a.restart()
        replicas.b.restart()
        replicas.b.round()
        replicas.a.round()
        expect(replicas.a.state.force).to.deep.equal(known)
        expect(replicas.b.state.force).to.deep.equal(known)
        expect(world.percent).to.equal(percentOf(known.progress))
      }),
      runs,
    )
  })

  it('makes one change of one stage, however two replicas come in between each other', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(HEALTHY, BREACH),
        fc.shuffledSubarray(
          ['tick a', 'tick b', 'write a', 'write b', 'tick a', 'tick b', 'write a', 'write b'],
          {
            minLength: 8,
          },
        ),
        (said, order) => {
          const { world, replicas } = play([])
          // Both know stage 2 and judge the same.
          for (let second = 0; world.percent !== 5 && second < 200; second += 1) {
            world.now += 1000
            replicas.a.verdict = HEALTHY
            replicas.a.round()
            replicas.b.round()
          }
          for (let second = 0; second < 59; second += 1) {
            world.now += 1000
            replicas.a.verdict = HEALTHY
            replicas.a.round()
            replicas.b.round()
          }
          world.now += 1500
          const told = (): string[] =>
            [...replicas.a.changes, ...replicas.b.changes]
              .map(({ kind }) => kind)
              .filter((kind) => kind !== 'started')
          const before = told().length
          for (const one of order) {
            const replica = replicas[one.endsWith('a') ? 'a' : 'b']
            if (one.startsWith('tick')) {
              // As the loop does: what was judged for another stage is not judged again.
              if (percentOf(replica.state.force.progress) === 5) replica.verdict = said
              replica.tick()
            } else replica.write()
          }
          replicas.a.round()
          replicas.b.round()
          expect(world.percent).to.equal(said === BREACH ? 1 : 25)
          expect(told().slice(before)).to.deep.equal([said === BREACH ? 'lowered' : 'raised'])
        },
      ),
      runs,
    )
  })
})
