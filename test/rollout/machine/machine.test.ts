import { expect } from 'chai'
import type { StageVerdict } from '../../../src/rollout/stage-verdict.js'
import {
  BREACH,
  command,
  EMPTY,
  HEALTHY,
  MINUTE,
  PLAN,
  Replica,
  run,
  start,
  TOO_FEW,
  World,
} from './driven.js'

describe('the machine of the rollout', () => {
  let world: World
  let a: Replica
  let b: Replica

  beforeEach(() => {
    world = new World()
    a = new Replica('a', world)
    b = new Replica('b', world)
    a.round()
    b.round()
  })

  const healthy = (): StageVerdict => HEALTHY

  function startAndReach(percent: number): void {
    a.command(start())
    for (let minutes = 0; minutes < 20 && world.percent !== percent; minutes += 1)
      run(world, [a], MINUTE, healthy)
    expect(world.percent).to.equal(percent)
    run(world, [a, b], 2000, () => TOO_FEW)
  }

  it('writes nothing into a file without the flag before somebody starts', () => {
    run(world, [a, b], MINUTE)
    expect(world.text).to.equal(EMPTY)
  })

  it('goes to the last stage and finishes, each stage for its time', () => {
    a.command(start())
    expect(world.percent).to.equal(1)
    const reached: [number, number][] = []
    const began = world.now
    let last = 1
    while (a.state.force.progress.state === 'running' && world.now < began + 20 * MINUTE) {
      run(world, [a], 1000, healthy)
      if (world.percent !== last) reached.push([world.percent, Math.round((world.now - began) / MINUTE)])
      last = world.percent
    }
    expect(reached).to.deep.equal([
      [5, 1],
      [25, 2],
      [100, 3],
    ])
    expect((world.now - began) / MINUTE).to.be.closeTo(4, 0.2)
    expect(a.kinds).to.deep.equal(['started', 'raised', 'raised', 'raised', 'finished'])
  })

  it('waits while too little is known', () => {
    a.command(start())
    run(world, [a], 30 * MINUTE, () => TOO_FEW)
    expect(world.percent).to.equal(1)
    expect(a.state.waitsFor).to.equal('samples')
  })

  it('goes back one stage on a breach, and to 0 for good by the second in a row', () => {
    startAndReach(25)
    a.verdict = BREACH
    a.round()
    expect(world.percent).to.equal(5)
    run(world, [a], 2 * MINUTE, () => TOO_FEW)
    expect(world.percent).to.equal(5)
    a.verdict = BREACH
    a.round()
    expect(world.percent).to.equal(0)
    run(world, [a], 10 * MINUTE, healthy)
    expect(world.percent).to.equal(0)
    expect(a.kinds.slice(-2)).to.deep.equal(['lowered', 'stopped'])
  })

  it('counts a second breach of the same stage as in a row, also after a healthy one below', () => {
    startAndReach(25)
    a.verdict = BREACH
    a.round()
    run(world, [a], 1.5 * MINUTE, healthy)
    expect(world.percent).to.equal(25)
    a.verdict = BREACH
    a.round()
    expect(world.percent).to.equal(0)
  })

  it('forgets a breach once its stage was passed', () => {
    startAndReach(5)
    a.verdict = BREACH
    a.round()
    expect(world.percent).to.equal(1)
    run(world, [a], 2.5 * MINUTE, healthy)
    expect(world.percent).to.equal(25)
    a.verdict = BREACH
    a.round()
    expect(world.percent).to.equal(5)
  })

  it('stops by a breach of the first stage', () => {
    startAndReach(1)
    a.verdict = BREACH
    a.round()
    expect(world.percent).to.equal(0)
    expect(a.state.force.progress).to.include({ state: 'ended', how: 'stopped' })
  })

  it('holds during a fallback and begins the stage anew after it', () => {
    startAndReach(5)
    world.hold = 'fallback'
    run(world, [a], 10 * MINUTE, healthy)
    expect(world.percent).to.equal(5)
    expect(a.state.waitsFor).to.equal('fallback')
    run(world, [a], 1000, () => BREACH)
    expect(world.percent).to.equal(5)
    world.hold = null
    const restarts = a.restarts.length
    run(world, [a], 0.9 * MINUTE, healthy)
    expect(a.restarts.length).to.equal(restarts + 1)
    expect(world.percent).to.equal(5)
    run(world, [a], 0.3 * MINUTE, healthy)
    expect(world.percent).to.equal(25)
  })

  it('goes back by what was seen before the fallback that begins', () => {
    startAndReach(25)
    world.hold = 'fallback'
    a.verdict = BREACH
    a.round()
    expect(world.percent).to.equal(5)
  })

  it('moves nobody while both sides fail', () => {
    startAndReach(25)
    world.hold = 'both_fail'
    run(world, [a], 5 * MINUTE, () => BREACH)
    expect(world.percent).to.equal(25)
    run(world, [a], 5 * MINUTE, healthy)
    expect(world.percent).to.equal(25)
  })

  it('is frozen while paused, and begins the stage anew when resumed', () => {
    startAndReach(5)
    b.command(command('pause'))
    run(world, [a, b], 10 * MINUTE, healthy)
    run(world, [a, b], 10 * MINUTE, () => BREACH)
    expect([world.percent, a.percent]).to.deep.equal([5, 5])
    a.command(command('resume'))
    run(world, [a, b], 0.8 * MINUTE, healthy)
    expect(world.percent).to.equal(5)
    run(world, [a, b], 0.4 * MINUTE, healthy)
    expect(world.percent).to.equal(25)
  })

  it('writes a pause that could not be written also after a resumption that could not be written', () => {
    startAndReach(5)
    world.isWritable = false
    a.command(command('pause'))
    a.command(command('resume'))
    run(world, [a], MINUTE / 2, healthy)
    expect(a.state.force.progress.state).to.equal('paused')
    world.isWritable = true
    run(world, [a, b], MINUTE, healthy)
    expect([a, b].map(({ state }) => state.force.progress.state)).to.deep.equal(['paused', 'paused'])
  })

  it('is aborted by any replica', () => {
    startAndReach(25)
    b.command(command('abort'))
    expect([world.percent, b.percent]).to.deep.equal([0, 0])
    expect(b.changes.at(-1)).to.include({
      kind: 'aborted',
      userId: 'ops',
      reason: 'because',
      actor: 'manual',
    })
    a.round()
    expect(a.percent).to.equal(0)
  })

  it('does not start twice, nor where the operators’ flag decides for everybody', () => {
    world.opsMode = 'targeting'
    a.command(start())
    expect(world.percent).to.equal(0)
    world.opsMode = 'direct'
    a.command(start())
    b.command(start({ stages: [50], everyMinutes: 1 }))
    expect(world.percent).to.equal(1)
  })

  it('ends when the operators’ flag gives the runtime, by whoever edited it', () => {
    startAndReach(100)
    b.command({ kind: 'flags_edited', userId: 'boss' })
    expect(world.percent).to.equal(100)
    world.opsMode = 'runtime'
    a.round()
    b.round()
    a.round()
    expect(b.changes.at(-1)).to.include({ kind: 'made_permanent', userId: 'boss', toPercent: 0 })
    expect(a.state.force.progress).to.include({ state: 'ended', how: 'permanent' })
    expect(a.kinds).not.to.include('made_permanent')
  })

  it('ends as superseded by a canary', () => {
    startAndReach(5)
    world.opsMode = 'targeting'
    a.round()
    expect(a.percent, 'whoever took the edit goes first').to.equal(5)
    run(world, [a], 3000, () => TOO_FEW)
    expect(a.changes.at(-1)).to.include({ kind: 'superseded', from: 'running', userId: null })
  })

  it('goes on where it was after a restart', () => {
    startAndReach(25)
    const { force } = a.state
    a.restart()
    a.round()
    expect(a.state.force).to.deep.equal(force)
    run(world, [a], 2 * MINUTE, healthy)
    expect(world.percent).to.equal(100)
  })

  it('acts upon a breach at once although the file cannot be written', () => {
    startAndReach(25)
    world.isWritable = false
    a.verdict = BREACH
    a.round()
    expect([a.percent, world.percent]).to.deep.equal([5, 25])
    expect(a.kinds.at(-1)).to.equal('lowered')
    world.isWritable = true
    run(world, [a], MINUTE / 2, () => TOO_FEW)
    expect(world.percent).to.equal(5)
    expect(a.kinds.filter((kind) => kind === 'lowered')).to.have.length(1)
  })

  it('raises nothing that is not in the file, and gives up a start that does not get there', () => {
    world.isWritable = false
    a.command(start())
    expect(a.percent).to.equal(0)
    world.isWritable = true
    run(world, [a], MINUTE)
    expect(world.percent).to.equal(0)
  })

  it('lets another replica lead where the turns are', () => {
    a.command(start())
    run(world, [a, b], 3 * MINUTE, ({ name }) => (name === 'b' ? HEALTHY : TOO_FEW))
    expect(world.percent).to.be.greaterThan(1)
    expect(b.kinds).to.include('raised')
  })

  it('raises nothing while the probe fails', () => {
    a.command(start())
    a.probeHealthy = false
    run(world, [a], 5 * MINUTE, healthy)
    expect(world.percent).to.equal(1)
  })

  describe('edits by hand', () => {
    const edit = (change: (flag: { [key: string]: unknown }) => void): void => {
      const document = JSON.parse(world.text ?? '')
      change(document.flags['chat-runtime-rollout'])
      world.text = JSON.stringify(document)
    }

    beforeEach(() => startAndReach(5))

    it('take another stage of the plan', () => {
      edit((flag) => {
        flag.targeting = JSON.parse(JSON.stringify(flag.targeting).replace('5]', '25]').replace('95]', '75]'))
      })
      b.round()
      a.round()
      expect([world.percent, a.percent, b.percent]).to.deep.equal([25, 25, 25])
      expect(b.changes.at(-1)).to.include({ kind: 'hand_edit', actor: 'manual' })
    })

    it('abort by a flag without targeting', () => {
      edit((flag) => delete flag.targeting)
      a.round()
      expect(a.state.force.progress).to.include({ state: 'ended', how: 'aborted' })
    })

    it('are refused, told and written over where they are no stage', () => {
      edit((flag) => {
        flag.targeting = { if: [{ '==': [{ var: 'orgId' }, 'acme'] }, 'on', 'off'] }
      })
      a.round()
      expect(world.percent).to.equal(5)
      expect(a.changes.at(-1)?.kind).to.equal('hand_edit_refused')
      expect(a.state.refused).not.to.equal(null)
      run(world, [a], 6 * MINUTE, () => TOO_FEW)
      expect(a.state.refused).to.equal(null)
    })

    it('that are refused undo no command that came before they were seen, whoever answers them first', () => {
      const untouched = world.text
      for (const asked of ['pause', 'abort'] as const) {
        edit((flag) => {
          flag.targeting = { if: [{ '==': [{ var: 'orgId' }, 'acme'] }, 'on', 'off'] }
        })
        b.ask(command(asked))
        b.tick()
        a.round()
        expect([world.percent, world.text === untouched]).to.deep.equal([5, false])
        while (!b.write()) b.tick()
        a.round()
      }
      expect([world.percent, a.percent, b.percent]).to.deep.equal([0, 0, 0])
      expect(b.kinds.filter((kind) => kind === 'aborted')).to.have.length(1)
    })

    it('abort by the template put back', () => {
      world.text = JSON.stringify({
        flags: {
          'chat-runtime-rollout': {
            state: 'ENABLED',
            variants: { on: true, off: false },
            defaultVariant: 'off',
            metadata: { state: 'none', revision: 0, actor: 'auto' },
          },
        },
      })
      a.round()
      expect(a.state.force.progress).to.include({ state: 'ended', how: 'aborted' })
      expect(PLAN.stages).to.include(5)
    })

    it('that take the flag out are undone', () => {
      world.text = EMPTY
      a.round()
      expect(world.percent).to.equal(5)
    })

    it('leave what is known in force while the file is unreadable', () => {
      world.text = '{'
      run(world, [a], 2 * MINUTE, healthy)
      expect([world.text, a.percent]).to.deep.equal(['{', 5])
    })
  })
})
