import { expect } from 'chai'
import { next } from '../../../src/rollout/machine/machine.js'
import {
  initialRolloutState,
  type RolloutEffect,
  type RolloutSeen,
  type RolloutState,
} from '../../../src/rollout/machine/state.js'
import type { RolloutCommand } from '../../../src/rollout/rollout.js'
import type { StageVerdict } from '../../../src/rollout/stage-verdict.js'
import { NO_ROLLOUT, type Rollout, type RolloutEdit } from '../../../src/store/rollout/rollout.js'
import { BREACH, command, PLAN, start, TOO_FEW } from './driven.js'

const WALL = 1_700_000_000_000
const FAULT = { code: 'EROFS', message: 'read-only' }
const running = (stage: number, part: Partial<Rollout> = {}): Rollout => ({
  progress: { state: 'running', plan: PLAN, stage, since: 5 },
  revision: 7,
  actor: 'auto',
  replica: 'b',
  evidenceSince: 3,
  ...part,
})
const seen = (rollout: Rollout, hash = `o${rollout.revision}`): RolloutSeen => ({
  kind: 'rollout',
  hash,
  rollout,
})
const edit = (wish: RolloutEdit, revision?: number): RolloutSeen => ({
  kind: 'hand_edit',
  hash: `e${JSON.stringify(wish)}`,
  edit: wish,
  ...(revision === undefined ? {} : { revision }),
})

/** One replica that has read this rollout. */
function replica(rollout: Rollout = running(1)) {
  let state: RolloutState = initialRolloutState({ replica: 'a', owner: 'a#1' }, 0)
  let effects: readonly RolloutEffect[] = []
  let now = 0
  let store = seen(rollout, 'h0')
  const at = () => ({ now, wall: WALL + now })
  const take = (input: Parameters<typeof next>[1]) => {
    ;({ state, effects } = next(state, input))
  }
  const machine = {
    get state() {
      return state
    },
    get progress() {
      return state.force.progress
    },
    get kinds() {
      return effects.map(({ kind }) => kind).filter((kind) => kind !== 'write_lease')
    },
    get told() {
      return effects.flatMap((effect) => (effect.kind === 'report' ? [effect.change] : []))
    },
    get written() {
      return effects.find((effect) => effect.kind === 'write')
    },
    pass(ms: number) {
      now += ms
      return machine
    },
    tick(shown: RolloutSeen = store, verdict: StageVerdict = TOO_FEW, provided = state.provided) {
      store = shown
      const evidence = { total: 0, errors: 0, timeouts: 0, avgLatencyMs: 0 }
      const said = { provided, verdict, evidence, hold: null, probeHealthy: true } as const
      take({
        kind: 'tick',
        ...at(),
        store,
        lease: { kind: 'failed' },
        ...said,
        opsMode: 'direct',
        leaseMs: 15_000,
      })
      return machine
    },
    ask(asked: RolloutCommand) {
      take({ kind: 'command', ...at(), command: asked, opsMode: 'direct' })
      return machine
    },
    fail() {
      take({ kind: 'write_failed', ...at(), fault: FAULT, jitter: 1 })
      return machine
    },
    /** @param version of what got into the store */
    write(after = state.pending?.after, version = state.pending?.version) {
      if (after === undefined || version === undefined) throw new Error('nothing is to be written')
      store = seen(after, `w${after.revision}`)
      take({ kind: 'written', ...at(), hash: `w${after.revision}`, rollout: after, version })
      return machine
    },
  }
  return machine.tick()
}

describe('the store of a rollout', () => {
  it('that cannot be read is told until it can be', () => {
    const machine = replica().tick({ kind: 'failed', fault: FAULT })
    expect(machine.state.file).to.deep.include({ fault: FAULT, isGood: false, seen: 'h0' })
    machine.tick(seen(running(1), 'h0'))
    expect(machine.state.file).to.deep.include({ fault: null, isGood: true })
    expect(machine.kinds).to.deep.equal([])
  })

  it('that cannot be written is told until it was written', () => {
    const machine = replica().ask(command('abort')).tick().fail()
    expect(machine.state.file).to.deep.include({ attempts: 1, fault: FAULT, retryAt: 1000 })
    machine.tick()
    expect(machine.state.file.fault).to.deep.equal(FAULT)
    expect(machine.written).to.equal(undefined)
    expect(machine.pass(999).tick().written).to.equal(undefined)
    expect(machine.pass(1).tick().written).to.deep.include({ expected: 'h0', version: 1 })
    machine.fail()
    expect(machine.state.file).to.deep.include({ attempts: 2, retryAt: 3000 })
    machine.write()
    expect(machine.state.file).to.deep.include({ attempts: 0, fault: null, seen: 'w8' })
    expect(machine.state.pending).to.equal(null)
  })

  it('is told of once where it fails, and the reports go with it', () => {
    const machine = replica().ask(command('abort')).tick().fail()
    expect(machine.told.map(({ kind }) => kind)).to.deep.equal(['aborted'])
    expect(machine.fail().told).to.deep.equal([])
    expect(machine.write().told).to.deep.equal([])
  })

  it('drops a start that failed, and keeps a move of the loop for the next look', () => {
    expect(replica(NO_ROLLOUT).ask(start()).tick().fail().state.pending).to.equal(null)
    expect(replica().fail().state.pending).to.equal(null)
  })

  it('is left alone where it is missing or no document, until the fallback wrote it', () => {
    for (const shown of [{ kind: 'missing' }, { kind: 'unparsable', hash: 'x', detail: 'y' }] as const) {
      const machine = replica().tick(shown).ask(command('abort'))
      expect(machine.tick().written).to.equal(undefined)
      expect(machine.state.file.isGood).to.equal(false)
      expect(machine.tick({ kind: 'absent', hash: 'new' }).written).to.deep.include({ expected: 'new' })
    }
  })

  it('gets the flag again where it was taken out, in the name of who changed it last', () => {
    for (const actor of ['auto', 'manual'] as const) {
      const machine = replica(running(1, { actor })).tick({ kind: 'absent', hash: 'new' })
      expect(machine.written).to.deep.include({ expected: 'new' })
      expect(machine.state.pending?.after).to.deep.include({
        actor,
        revision: 8,
        progress: running(1).progress,
      })
      expect(machine.write().told).to.deep.equal([])
    }
    expect(replica(NO_ROLLOUT).tick({ kind: 'absent', hash: 'new' }).kinds).to.deep.equal([])
  })

  it('is recognised to hold what was decided, though nothing was heard of the write', () => {
    const machine = replica().ask(command('abort')).tick()
    const after = machine.state.pending?.after
    if (after === undefined) throw new Error('nothing is to be written')
    machine.tick(seen(after, 'there'))
    expect(machine.told.map(({ kind }) => kind)).to.deep.equal(['aborted'])
    expect(machine.state.pending).to.equal(null)
    expect(machine.state.file.seen).to.equal('there')
  })

  it('holds an older decision: the newer one goes on top of it', () => {
    const machine = replica().ask(command('pause')).tick()
    const { pending } = machine.state
    machine.ask(command('abort'))
    machine.write(pending?.after, pending?.version)
    expect(machine.told.map(({ kind }) => kind)).to.deep.equal(['paused'])
    expect(machine.state.pending?.after).to.deep.include({ revision: 9 })
    expect(machine.state.force.revision).to.equal(9)
    machine.write()
    expect(machine.told).to.have.lengthOf(1)
    expect(machine.told[0]).to.deep.include({ kind: 'aborted', revision: 9 })
  })

  it('was written by somebody that this replica has not heard of: its own goes on top', () => {
    const machine = replica().ask(command('abort')).tick(undefined, TOO_FEW, 20)
    expect(machine.state).to.include({ provided: 20, highest: 20 })
    expect(machine.state.pending?.after.revision).to.equal(21)
    expect(machine.state.force.revision).to.equal(21)
    expect(replica().tick(undefined, TOO_FEW, 7).state.highest).to.equal(7)
  })

  it('has something newer: commands and a breach that still holds go on top of it', () => {
    const asked = replica().ask(command('pause')).tick()
    asked.tick(seen(running(2, { revision: 9, evidenceSince: 9 })))
    expect(asked.progress).to.deep.include({ state: 'paused', stage: 2 })
    expect(asked.state.pending?.after.revision).to.equal(10)
    const breached = () => replica(running(2)).tick(undefined, BREACH)
    expect(breached().progress).to.deep.include({ stage: 1 })
    expect(breached().tick(seen(running(3, { revision: 9, evidenceSince: 9 }))).progress).to.deep.include({
      stage: 2,
    })
    expect(breached().tick(seen(running(2, { revision: 9, evidenceSince: 9 }))).progress).to.deep.include({
      stage: 1,
    })
    const left = breached().tick(seen(running(1, { revision: 9, evidenceSince: 9 })))
    expect(left.progress).to.deep.include({ stage: 1 })
    expect(left.state.pending).to.equal(null)
    const paused = { ...running(3).progress, state: 'paused', reason: '' } as Rollout['progress']
    const others = breached().tick(seen(running(3, { revision: 9, progress: paused })))
    expect(others.progress).to.deep.include({ state: 'paused', stage: 3 })
  })

  it('has something newer: a fault of the write before is over', () => {
    const machine = replica().ask(command('pause')).tick().fail()
    machine.tick(seen(running(2, { revision: 9, evidenceSince: 9 })))
    expect(machine.state.file).to.deep.include({ attempts: 0, fault: null })
  })

  it('tells two restarts of the evidence apart that fall into one instant', () => {
    const machine = replica(running(1, { evidenceSince: WALL })).tick(undefined, BREACH)
    expect(machine.state.force.evidenceSince).to.equal(WALL + 1)
    expect(
      replica(running(1, { evidenceSince: WALL - 1 })).tick(undefined, BREACH).state.force.evidenceSince,
    ).to.equal(WALL)
  })
})

describe('a person’s edit of the rollout', () => {
  it('counts on from its revision, unless that is beyond all measure', () => {
    const highest = (revision?: number) =>
      replica().tick(edit({ kind: 'abort' }, revision)).state.pending?.after.revision
    expect([highest(), highest(3), highest(30), highest(2 ** 50), highest(2 ** 50 + 1)]).to.deep.equal([
      ...[8, 8, 31],
      ...[2 ** 50 + 1, 8],
    ])
  })

  it('aborts, in a person’s name', () => {
    const machine = replica().tick(edit({ kind: 'abort' }))
    expect(machine.progress).to.deep.equal({
      state: 'ended',
      plan: PLAN,
      how: 'aborted',
      since: WALL,
      reason: '',
    })
    expect(machine.write().told[0]).to.deep.include({
      kind: 'hand_edit',
      actor: 'manual',
      toPercent: 0,
      userId: null,
    })
  })

  it('that aborts what is over or never was is written in the right form, and told as nothing', () => {
    const ended = {
      ...running(1),
      progress: { state: 'ended', plan: PLAN, how: 'aborted', since: 5, reason: '' },
    } as const
    for (const rollout of [ended, NO_ROLLOUT]) {
      const machine = replica(rollout).tick(edit({ kind: 'abort' }))
      expect(machine.state.pending?.after).to.deep.include({ progress: rollout.progress, actor: 'manual' })
      expect(machine.write().told).to.deep.equal([])
    }
  })

  it('sets another stage, and leaves a pause a pause', () => {
    const machine = replica()
      .pass(4)
      .tick(edit({ kind: 'stage', stage: 3 }))
    expect(machine.progress).to.deep.equal({ state: 'running', plan: PLAN, stage: 3, since: WALL + 4 })
    expect(machine.state.force.evidenceSince).to.equal(WALL + 4)
    expect(machine.kinds).to.include('restart_evidence')
    const paused = { ...running(1).progress, state: 'paused', reason: 'wait' } as Rollout['progress']
    expect(
      replica(running(1, { progress: paused })).tick(edit({ kind: 'stage', stage: 3 })).progress,
    ).to.deep.equal({
      ...paused,
      stage: 3,
      since: WALL,
    })
    const finished = { state: 'finished', plan: PLAN, since: 5 } as const
    expect(
      replica(running(1, { progress: finished })).tick(edit({ kind: 'stage', stage: 0 })).progress,
    ).to.deep.include({
      state: 'running',
      stage: 0,
    })
  })

  it('sets a stage of no rollout: that is refused, told, and shown for five minutes', () => {
    const ended = { state: 'ended', plan: PLAN, how: 'aborted', since: 5, reason: '' } as const
    for (const progress of [{ state: 'none' } as const, ended]) {
      const machine = replica(running(1, { progress })).tick(edit({ kind: 'stage', stage: 1 }))
      const detail = 'there is no rollout under way; start one by the API or the command line'
      expect(machine.state.refused).to.deep.equal({ detail, untilAt: 300_000 })
      expect(machine.write().told[0]).to.deep.include({
        kind: 'hand_edit_refused',
        reason: detail,
        actor: 'manual',
      })
      expect(machine.state.refused).to.not.equal(null)
      expect(machine.pass(299_999).tick().state.refused).to.not.equal(null)
      expect(machine.pass(1).tick().state.refused).to.equal(null)
    }
  })

  it('that is refused is forgotten with a write, once it was shown for long enough', () => {
    const machine = replica()
      .tick(edit({ kind: 'refused', detail: 'no' }))
      .pass(300_000)
    expect(machine.write().state.refused).to.equal(null)
  })

  it('says what its metadata say, or 0% for an end', () => {
    const progress = { ...running(3).progress, since: 9 } as Rollout['progress']
    const machine = replica().tick(edit({ kind: 'progress', progress }))
    expect(machine.progress).to.deep.equal(progress)
    expect(machine.write().told[0]).to.deep.include({ kind: 'hand_edit', toPercent: 100 })
    expect(replica().tick(edit({ kind: 'progress', progress: { state: 'none' } })).progress).to.deep.include({
      state: 'ended',
      how: 'aborted',
    })
  })

  it('that puts an older document back is taken at its word', () => {
    const machine = replica().tick(seen(running(3, { revision: 2 })))
    expect(machine.progress).to.deep.include({ stage: 3 })
    expect(machine.state.pending?.after).to.deep.include({ revision: 8, actor: 'manual' })
  })

  it('takes the place of what is pending, of which is told what acts already', () => {
    const acted = replica()
      .ask(command('pause'))
      .tick(edit({ kind: 'abort' }))
    expect(acted.told.map(({ kind }) => kind)).to.deep.equal(['paused'])
    expect(acted.progress.state).to.equal('ended')
    const paused = { ...running(1).progress, state: 'paused', reason: '' } as Rollout['progress']
    const waiting = replica(running(1, { progress: paused }))
      .ask(command('resume'))
      .tick(edit({ kind: 'stage', stage: 2 }))
    expect(waiting.told).to.deep.equal([])
    expect(waiting.progress).to.deep.include({ state: 'paused', stage: 2 })
  })

  it('that is refused keeps what acts already, also a breach that was left', () => {
    const refused = edit({ kind: 'refused', detail: 'no' })
    const machine = replica(running(2)).tick(undefined, BREACH).tick(refused)
    expect(machine.progress).to.deep.include({ stage: 1 })
    expect(machine.state.pending?.left).to.deep.include({ stage: 2 })
    expect(machine.write().told.map(({ kind }) => kind)).to.deep.equal(['lowered', 'hand_edit_refused'])
    const waiting = replica(NO_ROLLOUT).ask(start()).tick(refused)
    expect(waiting.state.pending?.after.progress.state).to.equal('none')
  })
})
