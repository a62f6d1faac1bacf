import { expect } from 'chai'
import { type Scope, scopeOf } from '../../src/protocol/fallback-scope.js'
import { scopeOfAuto } from '../../src/store/override/override.js'
import { GUARDRAILS, type Stage } from './simulation/chaos.js'
import { playScene } from './simulation.js'

/** Replicas on one store while the runtime fails for some orgs or agents alone; each under several seeds. */
function scene(title: string, hosts: number, act: (stage: Stage, pass: (ms: number) => void) => void): void {
  it(title, () => {
    for (let seed = 1; seed <= 8; seed += 1)
      playScene(seed, hosts, (stage, pass) => {
        // Enough turns of everybody for each replica to judge alone, and to tell who fails from who fails by chance.
        stage.world.guardrails = SCOPED
        for (const host of stage.hosts) host.turnMs = 120
        act(stage, pass)
      })
  })
}

const SCOPED = { ...GUARDRAILS, minSamples: 10 }
const A = scopeOf('orgs', ['a'])
const X = scopeOf('agents', ['x'])

const sick = (stage: Stage, scope: Scope | null): void => {
  stage.world.sick = scope
  stage.world.disturbedAt = stage.world.now
}

/** Of each replica, the automatic layer and its scope. */
const seen = ({ replicas }: Stage): string[] =>
  [...replicas.values()].map(({ state: { known } }) => {
    const scope = scopeOfAuto(known.auto)
    return scope === undefined
      ? known.auto.state
      : `${known.auto.state} ${scope.dimension} ${scope.ids.join()}`
  })
function all(stage: Stage, expected: string): void {
  expect(seen(stage)).to.deep.equal(seen(stage).map(() => expected))
}

/** Whether each replica sends these to the direct LLM, whatever the session. */
const directFor = ({ replicas }: Stage, orgId: string, agentId: string): boolean[] =>
  [...replicas.values()].map((replica) =>
    [0, 50, 99].every((session) => replica.isOn({ orgId, agentId }, session)),
  )
const runtimeFor = ({ replicas }: Stage, orgId: string, agentId: string): boolean[] =>
  [...replicas.values()].map((replica) =>
    [0, 50, 99].every((session) => !replica.isOn({ orgId, agentId }, session)),
  )
function yes(answers: boolean[]): void {
  expect(answers).to.deep.equal(answers.map(() => true))
}

describe('replicas on one store, while one org or agent fails', () => {
  scene('send one org’s turns alone to the direct LLM, and back when it is well', 3, (stage, pass) => {
    pass(6000)
    sick(stage, A)
    pass(20_000)
    all(stage, 'fallback orgs a')
    for (const agent of ['x', 'y', 'z']) yes(directFor(stage, 'a', agent))
    for (const agent of ['x', 'y', 'z']) yes(runtimeFor(stage, 'b', agent))
    sick(stage, null)
    pass(120_000)
    all(stage, 'normal')
  })

  scene('send one agent’s turns alone there, of every org', 2, (stage, pass) => {
    pass(6000)
    sick(stage, X)
    pass(20_000)
    all(stage, 'fallback agents x')
    for (const org of ['a', 'b', 'c']) {
      yes(directFor(stage, org, 'x'))
      yes(runtimeFor(stage, org, 'y'))
    }
    sick(stage, null)
    pass(120_000)
    all(stage, 'normal')
  })

  scene('stay so however long it lasts, and drag nobody along', 2, (stage, pass) => {
    pass(6000)
    sick(stage, A)
    for (let minute = 0; minute < 5; minute += 1) {
      pass(60_000)
      yes(runtimeFor(stage, 'b', 'y'))
      expect(new Set(seen(stage))).to.not.include('fallback')
    }
  })

  scene('take everybody there when the rest breaks too', 3, (stage, pass) => {
    pass(6000)
    sick(stage, A)
    pass(20_000)
    stage.world.runtime = 'broken'
    stage.world.disturbedAt = stage.world.now
    pass(20_000)
    all(stage, 'fallback')
    stage.world.runtime = 'well'
    sick(stage, null)
    pass(200_000)
    all(stage, 'normal')
  })

  scene('take everybody there within seconds of the runtime’s death', 3, (stage, pass) => {
    pass(6000)
    sick(stage, A)
    pass(20_000)
    stage.world.runtime = 'dead'
    stage.world.disturbedAt = stage.world.now
    pass(5000)
    all(stage, 'fallback')
    for (const org of ['a', 'b', 'c']) yes(directFor(stage, org, 'y'))
  })

  scene('know the scope again after all of them were started anew', 2, (stage, pass) => {
    pass(6000)
    sick(stage, A)
    pass(15_000)
    for (const host of stage.hosts) {
      stage.replicas.get(host)?.kill()
      stage.replicas.delete(host)
      stage.start(host)
    }
    pass(2000)
    all(stage, 'fallback orgs a')
    yes(runtimeFor(stage, 'b', 'y'))
  })

  scene('fall back for everybody where the guardrail says so', 2, (stage, pass) => {
    stage.world.guardrails = { ...SCOPED, scoped: false }
    pass(6000)
    sick(stage, A)
    pass(20_000)
    for (const state of seen(stage)) expect(state).to.be.oneOf(['fallback', 'recovering'])
  })
})
