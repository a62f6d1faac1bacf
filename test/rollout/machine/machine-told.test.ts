import { expect } from 'chai'
import { isMoot, isPossible } from '../../../src/rollout/machine/command.js'
import { leaseMove } from '../../../src/rollout/machine/lease.js'
import { next } from '../../../src/rollout/machine/machine.js'
import {
  initialRolloutState,
  type RolloutEffect,
  type RolloutInput,
  type RolloutSeen,
  type RolloutState,
} from '../../../src/rollout/machine/state.js'
import type { RolloutCommand } from '../../../src/rollout/rollout.js'
import { judgeStage } from '../../../src/rollout/stage-verdict.js'
import { NO_ROLLOUT, type Rollout, type RolloutProgress } from '../../../src/store/rollout/rollout.js'
import { GUARDRAILS, over, tally } from '../../fallback/machine/driven.js'
import { BREACH, command, HEALTHY, MINUTE, PLAN, start, TOO_FEW } from './driven.js'

const WALL = 1_700_000_000_000
const FAULT = { code: 'EROFS', message: 'read-only' }
type Tick = Extract<RolloutInput, { kind: 'tick' }>

/** One replica by its inputs; `effects` are of the last one. */
class Machine {
  state: RolloutState = initialRolloutState({ replica: 'a', owner: 'a#1' }, 0)
  effects: readonly RolloutEffect[] = []
  now = 0
  /** what the store holds */
  seen: RolloutSeen

  constructor(rollout: Rollout = NO_ROLLOUT) {
    this.seen = { kind: 'rollout', hash: 'h0', rollout }
    this.tick()
  }

  take(input: RolloutInput): readonly RolloutEffect[] {
    const { state, effects } = next(this.state, input)
    this.state = state
    this.effects = effects
    return effects
  }

  tick(part: Partial<Tick> = {}): readonly RolloutEffect[] {
    return this.take({
      kind: 'tick',
      ...this.at,
      store: this.seen,
      lease: { kind: 'lease', hash: 'l', owner: 'a#1' },
      provided: this.state.provided,
      verdict: TOO_FEW,
      evidence: { total: 1, errors: 0, timeouts: 0, avgLatencyMs: 5 },
      hold: null,
      probeHealthy: true,
      opsMode: 'direct',
      leaseMs: 15_000,
      ...part,
    })
  }

  ask(asked: RolloutCommand, opsMode: Tick['opsMode'] = 'direct'): this {
    this.take({ kind: 'command', ...this.at, command: asked, opsMode })
    return this
  }

  fail(): readonly RolloutEffect[] {
    return this.take({ kind: 'write_failed', ...this.at, fault: FAULT, jitter: 1 })
  }

  /** What is pending gets into the store. */
  write(): readonly RolloutEffect[] {
    const { pending } = this.state
    if (pending === null) throw new Error('nothing is to be written')
    const { after, version } = pending
    const hash = `h${after.revision}`
    this.seen = { kind: 'rollout', hash, rollout: after }
    return this.take({ kind: 'written', ...this.at, hash, rollout: after, version })
  }

  /** Somebody else writes. */
  put(rollout: Rollout, hash = `o${rollout.revision}`): this {
    this.seen = { kind: 'rollout', hash, rollout }
    return this
  }

  pass(ms: number): this {
    this.now += ms
    return this
  }

  get at() {
    return { now: this.now, wall: WALL + this.now }
  }

  get progress(): RolloutProgress {
    return this.state.force.progress
  }

  get isWriting(): boolean {
    return this.effects.some(({ kind }) => kind === 'write')
  }

  told(kind: 'report' | 'adopted' = 'report') {
    return this.effects.flatMap((effect) =>
      effect.kind === kind && 'change' in effect ? [effect.change] : [],
    )
  }
}

const running = (stage: number, part: Partial<Rollout> = {}): Rollout => ({
  progress: { state: 'running', plan: PLAN, stage, since: 5 },
  revision: 7,
  actor: 'auto',
  replica: 'b',
  evidenceSince: 3,
  ...part,
})

describe('what is told of a change of the rollout', () => {
  it('is who asked for what, and why', () => {
    const plan = { ...PLAN, orgIds: ['acme'], agentIds: ['helper'] }
    const machine = new Machine().pass(10)
    machine.ask({ ...start(plan), reason: 'try it' } as RolloutCommand)
    expect(machine.effects).to.deep.equal([])
    machine.tick()
    expect(machine.effects).to.deep.include({
      kind: 'write',
      rollout: machine.state.pending?.after,
      version: 1,
      expected: 'h0',
    })
    machine.write()
    expect(machine.told()).to.deep.equal([
      {
        at: WALL + 10,
        kind: 'started',
        from: 'none',
        to: 'running',
        fromPercent: 0,
        toPercent: 1,
        stages: [1, 5, 25, 100],
        everyMinutes: 1,
        orgIds: ['acme'],
        agentIds: ['helper'],
        actor: 'manual',
        replica: 'a',
        userId: 'ops',
        cause: null,
        value: null,
        threshold: null,
        evidence: null,
        revision: 1,
        reason: 'try it',
      },
    ])
    expect(machine.effects).to.deep.include({ kind: 'restart_evidence' })
    expect(machine.state.force).to.deep.equal({
      progress: { state: 'running', plan, stage: 0, since: WALL + 10 },
      evidenceSince: WALL + 10,
      revision: 1,
      replica: 'a',
      actor: 'manual',
      updatedAt: WALL + 10,
    })
  })

  it('is what was measured, by a breach', () => {
    const machine = new Machine(running(2))
    machine.tick({ verdict: BREACH })
    machine.write()
    expect(machine.told()).to.have.lengthOf(1)
    expect(machine.told()[0]).to.deep.include({
      kind: 'lowered',
      from: 'running',
      to: 'running',
      fromPercent: 25,
      toPercent: 5,
      actor: 'auto',
      userId: null,
      orgIds: null,
      agentIds: null,
      cause: 'error_rate',
      value: 0.9,
      threshold: 0.5,
      evidence: { total: 1, errors: 0, timeouts: 0, avgLatencyMs: 5 },
      revision: 8,
      reason: '',
    })
    expect(machine.progress).to.deep.include({
      failed: { stage: 2, breach: { cause: 'error_rate', value: 0.9, threshold: 0.5 } },
    })
  })

  it('is whose it was, of another replica’s', () => {
    const machine = new Machine().put(running(1))
    machine.tick()
    expect(machine.told('adopted')).to.have.lengthOf(1)
    expect(machine.told('adopted')[0]).to.deep.include({
      kind: 'adopted',
      replica: 'b',
      from: 'none',
      to: 'running',
      toPercent: 5,
      revision: 7,
    })
    const { replica: _, ...unsigned } = running(2, { revision: 8, actor: 'manual' })
    machine.put(unsigned).tick()
    expect(machine.told('adopted')[0]).to.deep.include({ replica: 'a', actor: 'manual', fromPercent: 5 })
    expect(machine.effects.filter(({ kind }) => kind === 'report')).to.deep.equal([])
  })

  it('is nothing of what a replica finds when it starts, nor where another flag changed', () => {
    const machine = new Machine(running(1))
    expect(machine.effects.map(({ kind }) => kind)).to.deep.equal(['restart_evidence', 'write_lease'])
    machine.put(running(1), 'another').tick()
    expect(machine.effects.filter(({ kind }) => kind !== 'write_lease')).to.deep.equal([])
  })
})

describe('a command', () => {
  const states: readonly RolloutProgress[] = [
    { state: 'none' },
    { state: 'running', plan: PLAN, stage: 1, since: 5 },
    { state: 'paused', plan: PLAN, stage: 1, since: 5, reason: 'wait' },
    { state: 'finished', plan: PLAN, since: 5 },
    { state: 'ended', plan: PLAN, how: 'aborted', since: 5, reason: '' },
  ]
  const possible = {
    start: ['none', 'ended'],
    pause: ['running'],
    resume: ['paused'],
    abort: ['running', 'paused', 'finished'],
    flags_edited: ['none', 'running', 'paused', 'finished', 'ended'],
  } as const

  it('is possible in some states, and changes nothing in any other', () => {
    for (const [kind, where] of Object.entries(possible))
      for (const progress of states) {
        const isRight = (where as readonly string[]).includes(progress.state)
        expect(isPossible(kind as RolloutCommand['kind'], progress), `${kind} ${progress.state}`).to.equal(
          isRight,
        )
        if (kind === 'flags_edited') continue
        const machine = new Machine({ ...running(1), progress })
        const before = machine.state
        machine.ask(kind === 'start' ? start() : command(kind as 'pause'))
        expect(machine.state.pending !== null, `${kind} ${progress.state}`).to.equal(isRight)
        if (!isRight) expect(machine.state).to.deep.equal(before)
      }
  })

  it('says what it says', () => {
    const machine = new Machine(running(1)).pass(9).ask(command('pause'))
    expect(machine.progress).to.deep.equal({
      state: 'paused',
      plan: PLAN,
      stage: 1,
      since: WALL + 9,
      reason: 'because',
    })
    machine.write()
    expect(machine.told()[0]).to.deep.include({ kind: 'paused', userId: 'ops', reason: 'because' })
    machine.pass(1).ask(command('resume'))
    expect(machine.progress.state).to.equal('paused')
    machine.write()
    expect(machine.progress).to.deep.equal({ state: 'running', plan: PLAN, stage: 1, since: WALL + 10 })
    expect(machine.told()[0]).to.deep.include({ kind: 'resumed', reason: 'because', actor: 'manual' })
    expect(machine.state.force.evidenceSince).to.equal(WALL + 10)
    machine.ask(command('abort'))
    expect(machine.progress).to.deep.equal({
      state: 'ended',
      plan: PLAN,
      how: 'aborted',
      since: WALL + 10,
      reason: 'because',
    })
    machine.write()
    expect(machine.told()[0]).to.deep.include({ kind: 'aborted', fromPercent: 5, toPercent: 0 })
  })

  it('starts nothing where the operators’ flag decides for everybody', () => {
    expect((['runtime', 'targeting', 'direct'] as const).map(isMoot)).to.deep.equal([true, true, false])
    for (const mode of ['runtime', 'targeting'] as const)
      expect(new Machine().ask(start(), mode).state.pending).to.equal(null)
  })

  it('is of what is in force, not of what the loop has proposed', () => {
    const machine = new Machine(running(1)).pass(MINUTE)
    machine.tick({ verdict: HEALTHY })
    machine.take({ kind: 'lease_written', ...machine.at, hash: 'l', owner: 'a#1' })
    machine.tick({ verdict: HEALTHY })
    expect(machine.state.pending?.after.progress).to.deep.include({ stage: 2 })
    machine.ask(command('pause'))
    expect(machine.state.pending?.after.progress).to.deep.include({ state: 'paused', stage: 1 })
  })

  it('to start waits two seconds for the store, and is given up then', () => {
    const machine = new Machine()
    machine.seen = { kind: 'missing' }
    machine.tick()
    machine.ask(start())
    machine.pass(1999).tick()
    expect(machine.isWriting).to.equal(false)
    expect(machine.state.pending).to.not.equal(null)
    machine.pass(1).tick()
    expect(machine.state.pending).to.equal(null)
  })
})

describe('why a stage waits', () => {
  /** Stage 1 for a minute, the lease its own. */
  const due = (): Machine => {
    const machine = new Machine(running(1))
    machine.take({ kind: 'lease_written', ...machine.at, hash: 'l', owner: 'a#1' })
    machine.pass(MINUTE - 1).tick()
    machine.take({ kind: 'lease_written', ...machine.at, hash: 'l', owner: 'a#1' })
    return machine.pass(1)
  }
  const waits = (part: Partial<Tick>, machine = due()) => {
    machine.tick({ verdict: HEALTHY, ...part })
    return machine.state.waitsFor
  }

  it('is told: each of them, in this order', () => {
    expect(waits({ hold: 'fallback' })).to.equal('fallback')
    expect(waits({ hold: 'both_fail', verdict: BREACH })).to.equal('both_fail')
    expect(waits({ verdict: HEALTHY }, due().pass(-1))).to.equal('time')
    expect(waits({ verdict: TOO_FEW })).to.equal('samples')
    expect(waits({ verdict: { kind: 'insufficient_data', lacks: 'rates' } })).to.equal('rates')
    expect(waits({ probeHealthy: false })).to.equal('probe')
    expect(waits({ store: { kind: 'failed', fault: FAULT } })).to.equal('store')
    expect(waits({ store: { kind: 'missing' } })).to.equal('store')
    expect(waits({ store: { kind: 'unparsable', hash: 'x', detail: 'y' } })).to.equal('store')
    expect(waits({ lease: { kind: 'lease', hash: 'm', owner: 'b#1' } })).to.equal('leader')
  })

  it('is nothing where it goes on', () => {
    const machine = due()
    machine.tick({ verdict: HEALTHY })
    expect(machine.state.waitsFor).to.equal(null)
    expect(machine.state.verdict).to.deep.equal(HEALTHY)
    expect(machine.progress).to.deep.include({ stage: 1 })
    machine.write()
    expect(machine.progress).to.deep.equal({ state: 'running', plan: PLAN, stage: 2, since: WALL + MINUTE })
    expect(machine.told()[0]).to.deep.include({
      kind: 'raised',
      actor: 'auto',
      fromPercent: 5,
      toPercent: 25,
    })
    expect(machine.effects).to.deep.include({ kind: 'restart_evidence' })
    machine.tick({ verdict: TOO_FEW })
    expect(machine.state.waitsFor).to.equal('time')
  })

  it('is the store while a write that failed rests', () => {
    const machine = due()
    machine.tick({ verdict: HEALTHY })
    machine.fail()
    machine.tick({ verdict: HEALTHY })
    expect(machine.state.waitsFor).to.equal('store')
    expect(machine.isWriting).to.equal(false)
    expect(machine.state.file).to.deep.include({ attempts: 1, fault: FAULT, retryAt: machine.now + 1000 })
  })

  it('is the store while what a breach left is not written', () => {
    const machine = due()
    machine.tick({ verdict: BREACH })
    machine.fail()
    expect(machine.progress).to.deep.include({ stage: 0 })
    for (const ms of [MINUTE - 1, 1]) {
      machine.pass(ms).tick({ verdict: HEALTHY })
      machine.take({ kind: 'lease_written', ...machine.at, hash: 'l', owner: 'a#1' })
    }
    machine.tick({ verdict: HEALTHY })
    expect(machine.state.waitsFor).to.equal('store')
    expect(machine.progress).to.deep.include({ stage: 0 })
  })

  it('is judged anew at each tick: a move that was not written is not kept', () => {
    const machine = due()
    machine.tick({ verdict: HEALTHY })
    expect(machine.isWriting).to.equal(true)
    machine.tick({ verdict: TOO_FEW })
    expect(machine.isWriting).to.equal(false)
    expect(machine.state.pending).to.equal(null)
  })

  it('is nothing where no rollout runs', () => {
    const machine = due()
    machine.tick({ verdict: TOO_FEW })
    machine.ask(command('pause'))
    machine.tick({ verdict: HEALTHY })
    expect([machine.state.verdict, machine.state.waitsFor]).to.deep.equal([null, null])
  })

  it('is not what was judged of the stage before, or of the time of a fallback', () => {
    const machine = due()
    machine.tick({ hold: 'fallback', verdict: HEALTHY })
    expect(machine.state.held).to.equal(true)
    machine.tick({ hold: 'fallback', verdict: BREACH })
    expect(machine.state.verdict).to.deep.equal(TOO_FEW)
    expect(machine.progress).to.deep.include({ stage: 1 })
    machine.tick({ hold: null, verdict: BREACH })
    expect(machine.state.verdict).to.deep.equal(TOO_FEW)
    expect(machine.effects).to.deep.include({ kind: 'restart_evidence' })
    expect([machine.state.held, machine.state.stageAt]).to.deep.equal([false, machine.now])
    const adopting = due().put(running(2, { revision: 9, evidenceSince: 99 }))
    adopting.tick({ verdict: BREACH })
    expect(adopting.progress).to.deep.include({ stage: 2 })
    expect(adopting.state.verdict).to.deep.equal(TOO_FEW)
  })
})

describe('the lease of a rollout', () => {
  const input = (part: Partial<Tick> = {}): Tick => ({
    kind: 'tick',
    now: 100_000,
    wall: WALL,
    store: { kind: 'missing' },
    lease: { kind: 'missing' },
    provided: 0,
    verdict: TOO_FEW,
    evidence: { total: 0, errors: 0, timeouts: 0, avgLatencyMs: 0 },
    hold: null,
    probeHealthy: true,
    opsMode: 'direct',
    leaseMs: 15_000,
    ...part,
  })
  const state = (part: Partial<RolloutState>): RolloutState => ({
    ...new Machine(running(1)).state,
    stageAt: 100_000,
    verdict: TOO_FEW,
    lease: { seen: 'l', changedAt: 0, owner: null, counter: 4, askedAt: null, renewedAt: null },
    ...part,
  })
  const mine = { seen: 'l', changedAt: 0, owner: 'a#1', counter: 4, askedAt: 0, renewedAt: 0 } as const
  const take = { owner: 'a#1', counter: 5, expected: 'l' }

  it('is taken by who is fit while the stage runs, and by who finds it healthy after its time', () => {
    expect(leaseMove(state({}), input())).to.deep.equal(take)
    expect(leaseMove(state({ stageAt: 100_000 - MINUTE + 1 }), input())).to.deep.equal(take)
    expect(leaseMove(state({ stageAt: 100_000 - MINUTE }), input())).to.equal(undefined)
    expect(leaseMove(state({ stageAt: 0, verdict: HEALTHY }), input())).to.deep.equal(take)
    expect(leaseMove(state({ verdict: null }), input())).to.deep.equal(take)
  })

  it('is not taken by one whose probe or whose executions fail', () => {
    expect(leaseMove(state({}), input({ probeHealthy: false }))).to.equal(undefined)
    expect(leaseMove(state({ verdict: BREACH }), input())).to.equal(undefined)
  })

  it('is kept for its own time longer by the holder', () => {
    const late = (ms: number) => state({ lease: mine, stageAt: 100_000 - MINUTE - ms })
    expect(leaseMove(late(14_999), input())).to.deep.equal(take)
    expect(leaseMove(late(15_000), input())).to.equal(undefined)
  })

  it('is let go where nothing runs', () => {
    const progress = { state: 'paused', plan: PLAN, stage: 1, since: 5, reason: '' } as const
    const paused = { force: { ...running(1), progress } }
    expect(leaseMove(state({ ...paused, lease: mine }), input())).to.deep.equal({ ...take, owner: null })
    expect(leaseMove(state(paused), input())).to.equal(undefined)
  })

  it('is asked for by a tick, not while the store cannot be read', () => {
    const machine = new Machine(running(1))
    machine.tick({ lease: { kind: 'lease', hash: 'm', owner: null } })
    const effect = machine.effects.find(({ kind }) => kind === 'write_lease')
    expect(effect).to.deep.include({ lease: { owner: 'a#1', counter: 1, expected: 'm' } })
    expect(machine.state.lease.askedAt).to.equal(machine.now)
    const blind = new Machine(running(1))
    blind.tick({ lease: { kind: 'lease', hash: 'm', owner: null }, store: { kind: 'failed', fault: FAULT } })
    expect(blind.effects).to.deep.equal([])
  })
})

describe('a rollout that became moot', () => {
  const moot = (machine: Machine, opsMode: Tick['opsMode'] = 'runtime') => machine.tick({ opsMode })

  it('is ended at once by who took the edit, in that person’s name', () => {
    const machine = new Machine(running(1)).ask({ kind: 'flags_edited', userId: 'boss' }).pass(599_999)
    moot(machine)
    expect(machine.progress).to.deep.equal({
      state: 'ended',
      plan: PLAN,
      how: 'permanent',
      since: WALL + 599_999,
      reason: '',
    })
    expect(machine.state).to.include({ editor: null, verdict: null, waitsFor: null, held: false })
    machine.write()
    expect(machine.told()[0]).to.deep.include({ kind: 'made_permanent', userId: 'boss', actor: 'manual' })
  })

  it('is ended by the others two seconds later, in nobody’s name', () => {
    const machine = new Machine(running(1)).ask({ kind: 'flags_edited', userId: 'boss' }).pass(600_000)
    moot(machine, 'targeting')
    machine.pass(1999)
    moot(machine, 'targeting')
    expect(machine.progress.state).to.equal('running')
    machine.pass(1)
    moot(machine, 'targeting')
    expect(machine.progress).to.deep.include({ state: 'ended', how: 'superseded' })
    machine.write()
    expect(machine.told()[0]).to.deep.include({ kind: 'superseded', userId: null })
  })

  it('goes on where the flag leaves it room again meanwhile', () => {
    const machine = new Machine(running(1))
    moot(machine)
    machine.pass(1500).tick()
    expect(machine.state.mootAt).to.equal(null)
    machine.pass(1500)
    moot(machine)
    expect(machine.progress.state).to.equal('running')
    expect(machine.state.mootAt).to.equal(machine.now)
  })

  it('is none where there was none, or it is over', () => {
    for (const rollout of [NO_ROLLOUT, { ...running(1), progress: endedProgress() }]) {
      const machine = new Machine(rollout)
      moot(machine)
      machine.pass(5000)
      moot(machine)
      expect(machine.state.pending).to.equal(null)
      expect(machine.state.mootAt).to.equal(null)
    }
  })

  const endedProgress = (): RolloutProgress => ({
    state: 'ended',
    plan: PLAN,
    how: 'aborted',
    since: 5,
    reason: '',
  })
})

describe('the verdict of a stage', () => {
  const slow = (runtime: ReturnType<typeof tally>) => judgeStage(over(runtime), GUARDRAILS)

  it('is a breach, healthy, or why it is neither', () => {
    expect(slow(tally(20, 15))).to.deep.equal({
      kind: 'breach',
      breach: { cause: 'error_rate', value: 0.75, threshold: 0.5 },
    })
    expect(slow(tally(20))).to.deep.equal({ kind: 'healthy' })
    // More than half of the threshold is no breach, and no reason for more traffic.
    expect(slow(tally(20, 8))).to.deep.equal({ kind: 'insufficient_data', lacks: 'rates' })
    expect(slow(tally(4))).to.deep.equal({ kind: 'insufficient_data', lacks: 'samples' })
  })
})
