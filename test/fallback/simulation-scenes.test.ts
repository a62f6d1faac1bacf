import { expect } from 'chai'
import { snapshotOf } from '../../src/fallback/loop/snapshot.js'
import { scopeOf } from '../../src/protocol/fallback-scope.js'
import { renderOverride } from '../../src/store/override/override-document.js'
import { testRuns } from '../support/test-runs.js'
import { SHIPPED } from './grey/grey-runtime.js'
import { GUARDRAILS, type Stage } from './simulation/chaos.js'
import { parsedOf } from './simulation/content.js'
import type { RuntimeCondition, World } from './simulation/world.js'
import { playScene } from './simulation.js'

/** Timelines in the simulated world, each under several seeds. */
function scene(title: string, hosts: number, act: (stage: Stage, pass: (ms: number) => void) => void): void {
  it(title, () => {
    for (let seed = 1; seed <= testRuns(4); seed += 1) playScene(seed, hosts, act)
  })
}

const statesOf = ({ replicas }: Stage): string[] =>
  [...replicas.values()].map(({ state }) => state.known.auto.state)

function loseAlone({ hosts, world }: Stage, condition: RuntimeCondition | null): void {
  for (const host of hosts.slice(0, 1)) host.runtime = condition
  for (const host of hosts) host.turnMs = 300
  world.disturbedAt = world.now
}

/** Somebody else names a new org again and again, and wins every race. */
function writeWithoutPause({ world, checks }: Stage, everyMs: number): () => void {
  let isOver = false
  checks.triggered('race', undefined)
  const write = (): void => {
    if (isOver) return
    world.scheduler.after(everyMs, write)
    const { override } = world
    const parsed = override === undefined ? undefined : parsedOf(override.text)
    if (override === undefined || parsed?.kind !== 'override') return
    const { revision } = parsed.override
    const target = { kind: 'orgs', orgIds: ['b', `org-${revision}`] } as const
    const manual = { scope: 'orgs', target, reason: 'race' } as const
    const next = {
      ...parsed.override,
      manual,
      revision: revision + 1,
      replica: 'writer',
      actor: 'manual',
    } as const
    world.write(renderOverride(next, override.text), override.hash)
  }
  write()
  return () => {
    isOver = true
  }
}

/** From now on something may rightly begin or end a fallback. */
function disturbed(world: World): World {
  world.disturbedAt = world.now
  return world
}

describe('replicas on one store, on timelines of their own', () => {
  for (const condition of ['dead', 'broken'] as const) {
    scene(
      `recover though one of them alone has a runtime that is ${condition}, which joins them later`,
      3,
      (stage, pass) => {
        pass(3000)
        loseAlone(stage, condition)
        pass(120_000)
        expect(statesOf(stage)).to.deep.equal(['normal', 'normal', 'normal'])
        expect([...stage.replicas.values()].map(({ state }) => state.isolated)).to.deep.equal([
          true,
          false,
          false,
        ])
        loseAlone(stage, null)
        pass(20_000)
        expect([...stage.replicas.values()].some(({ state }) => state.isolated)).to.equal(false)
      },
    )
  }

  scene(
    'fall back together within seconds of the runtime’s death, and stay so while it is dead',
    3,
    (stage, pass) => {
      pass(3000)
      stage.world.runtime = 'dead'
      stage.world.disturbedAt = stage.world.now
      pass(6500)
      expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback', 'fallback'])
      for (let second = 0; second < 60; second += 1) {
        pass(1000)
        expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback', 'fallback'])
      }
    },
  )

  scene('keep their own turns on the direct LLM though others win every race', 2, (stage, pass) => {
    const { world, hosts } = stage
    for (const host of hosts) host.turnMs = 200
    pass(3000)
    world.runtime = 'broken'
    world.disturbedAt = world.now
    const stop = writeWithoutPause(stage, 12)
    pass(8000)
    for (let ms = 0; ms < 4000; ms += 50) {
      pass(50)
      expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback'])
      for (const replica of stage.replicas.values())
        expect(
          [0, 50, 99].map((session) => replica.isOn({ orgId: 'a', agentId: 'x' }, session)),
        ).to.deep.equal([true, true, true])
    }
    stop()
    pass(3000)
    const parsed = parsedOf(world.override?.text ?? '')
    expect(parsed.kind === 'override' && parsed.override.auto.state).to.equal('fallback')
  })

  scene('end nobody’s recovery by an outage that one of them could not tell of in time', 2, (stage, pass) => {
    const { world, hosts, replicas } = stage
    const [cutOff] = hosts
    const replica = cutOff === undefined ? undefined : replicas.get(cutOff)
    if (cutOff === undefined || replica === undefined) throw new Error('no host')
    for (const host of hosts) host.turnMs = 200
    pass(3000)
    const setCutOff = (is: boolean): void => {
      Object.assign(cutOff, { unreadable: is, unwritable: is })
      replica.provider.condition = is ? 'lost' : 'well'
    }
    setCutOff(true)
    world.runtime = 'broken'
    world.disturbedAt = world.now
    pass(5000)
    expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback'])
    world.runtime = 'well'
    world.disturbedAt = world.now
    for (let ms = 0; ms < 20_000 && statesOf(stage)[1] === 'fallback'; ms += 200) pass(200)
    expect(statesOf(stage)).to.deep.equal(['fallback', 'recovering'])
    setCutOff(false)
    pass(30_000)
    expect(statesOf(stage)).to.deep.equal(['normal', 'normal'])
    expect(stage.checks.kinds.get('relapse')).to.equal(undefined)
  })

  scene('come back where turns are so few that no window ever holds enough of them', 1, (stage, pass) => {
    const { world, hosts } = stage
    world.runtime = 'dead'
    pass(20_000)
    expect(statesOf(stage)).to.deep.equal(['fallback'])
    world.runtime = 'well'
    for (const host of hosts) host.turnMs = 10_000
    world.guardrails = { ...GUARDRAILS, windowSeconds: 5, recoverySamples: 3, quietSeconds: 60 }
    pass(400_000)
    expect(statesOf(stage)).to.deep.equal(['normal'])
  })

  scene(
    'come back with a confidence, which takes more executions than a window may hold',
    2,
    (stage, pass) => {
      const { world, hosts } = stage
      world.guardrails = { ...GUARDRAILS, confidence: 0.95 }
      world.runtime = 'dead'
      pass(20_000)
      expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback'])
      world.runtime = 'well'
      for (const host of hosts) host.turnMs = 3000
      pass(300_000)
      expect(statesOf(stage)).to.deep.equal(['normal', 'normal'])
    },
  )

  scene('come back overnight, when nobody asks anything', 2, (stage, pass) => {
    const { world } = stage
    pass(3000)
    world.runtime = 'dead'
    pass(6000)
    world.traffic = false
    world.runtime = 'well'
    pass(200_000)
    expect(new Set(statesOf(stage)).size).to.equal(1)
    // By the probes alone only where the probes were the cause.
    expect(statesOf(stage)[0]).to.be.oneOf(['normal', 'recovering'])
  })

  scene(
    'leave a runtime in use of which a fifth fails, its probes too, and trip when all of it does',
    3,
    (stage, pass) => {
      const { world, hosts } = stage
      world.guardrails = { ...SHIPPED, scoped: false }
      for (const host of hosts) host.turnMs = 500
      world.runtime = 'grey'
      // What is usual becomes known.
      world.policy = 'observe'
      pass(150_000)
      world.policy = 'auto'
      pass(300_000)
      expect(stage.checks.kinds.get('trip')).to.equal(undefined)
      disturbed(world).runtime = 'broken'
      pass(30_000)
      expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback', 'fallback'])
    },
  )

  scene('fall back under light traffic, where no window ever holds enough', 3, (stage, pass) => {
    const { world, hosts } = stage
    world.guardrails = { ...SHIPPED, windowSeconds: 30 }
    for (const host of hosts) host.turnMs = 5000
    pass(10_000)
    disturbed(world).runtime = 'broken'
    pass(60_000)
    expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback', 'fallback'])
  })

  scene('fall back for the one org that fails, and for nobody else', 3, (stage, pass) => {
    const { world, hosts, replicas } = stage
    world.guardrails = SHIPPED
    for (const host of hosts) host.turnMs = 400
    pass(20_000)
    disturbed(world).sick = scopeOf('orgs', ['a'])
    pass(40_000)
    for (const replica of replicas.values()) {
      expect(replica.isOn({ orgId: 'a', agentId: 'y' }, 5)).to.equal(true)
      expect(replica.isOn({ orgId: 'b', agentId: 'y' }, 5)).to.equal(false)
    }
  })

  scene('end a hold at once that changed guardrails make shorter', 2, (stage, pass) => {
    const { world, hosts } = stage
    world.guardrails = { ...GUARDRAILS, holdSeconds: 600, maxHoldSeconds: 600 }
    for (const host of hosts) host.turnMs = 300
    pass(3000)
    disturbed(world).runtime = 'dead'
    pass(10_000)
    disturbed(world).runtime = 'well'
    pass(30_000)
    expect(statesOf(stage)).to.deep.equal(['fallback', 'fallback'])
    world.guardrails = GUARDRAILS
    pass(4000)
    expect(statesOf(stage)).to.deep.equal(['recovering', 'recovering'])
  })

  scene('stay with a runtime that fails while the direct LLM cannot be used', 2, (stage, pass) => {
    const { world, hosts, replicas, checks } = stage
    for (const host of hosts) host.turnMs = 300
    pass(3000)
    world.directUnusable = true
    for (const condition of ['broken', 'dead'] as const) {
      disturbed(world).runtime = condition
      pass(30_000)
      expect(statesOf(stage)).to.deep.equal(['normal', 'normal'])
      expect([...replicas.values()].map(({ state }) => state.standby?.kind)).to.deep.equal([
        'unusable',
        'unusable',
      ])
    }
    expect(checks.kinds.get('trip')).to.equal(undefined)
  })

  scene(
    'go on without the holder of the lease, which stands still for 65 s with its clock set back',
    3,
    (stage, pass) => {
      const { world, hosts, replicas } = stage
      for (const host of hosts) host.turnMs = 300
      pass(3000)
      disturbed(world).runtime = 'dead'
      pass(8000)
      disturbed(world).runtime = 'well'
      const holder = hosts.find((host) => {
        const state = replicas.get(host)?.state
        return state !== undefined && state.lease.owner === state.self.owner
      })
      if (holder === undefined) throw new Error('nobody holds the lease')
      holder.stoppedUntil = world.now + 65_000
      holder.wallOffset -= 3_600_000
      pass(60_000)
      for (const [host, { state }] of replicas)
        if (host !== holder) expect(state.known.auto.state).to.equal('normal')
      pass(20_000)
      expect(statesOf(stage)).to.deep.equal(['normal', 'normal', 'normal'])
    },
  )

  scene('say so where a recovery waits for turns', 1, (stage, pass) => {
    const { world, replicas, checks } = stage
    pass(3000)
    disturbed(world).runtime = 'broken'
    pass(20_000)
    disturbed(world).runtime = 'well'
    for (let ms = 0; ms < 40_000 && statesOf(stage)[0] !== 'recovering'; ms += 200) pass(200)
    expect(statesOf(stage)).to.deep.equal(['recovering'])
    world.traffic = false
    const alerts = (): string[] =>
      [...replicas.values()].flatMap((replica) =>
        snapshotOf({
          state: replica.state,
          policy: 'auto',
          leaseMs: 8000,
          probe: { failuresInARow: 0, goodInARow: 1, healthy: true, goodForMs: 1000 },
          others: [],
          now: replica.monotonic,
          wall: replica.wall,
        }).alerts.map(({ kind }) => kind),
      )
    expect(alerts()).to.deep.equal([])
    pass(1_000_000)
    expect(statesOf(stage)).to.deep.equal(['recovering'])
    expect(alerts()).to.deep.equal(['recovery_waits'])
    expect(checks.kinds.get('relapse')).to.equal(undefined)
  })

  scene('keep nothing of an idle hour', 2, (stage, pass) => {
    stage.world.traffic = false
    pass(10_000)
    const kept = [...stage.replicas.values()].map(({ inputs }) => inputs.length)
    pass(120_000)
    expect([...stage.replicas.values()].map(({ inputs }) => inputs.length)).to.deep.equal(kept)
  })
})
