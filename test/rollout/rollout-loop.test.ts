import { expect } from 'chai'
import { NEUTRAL } from '../../src/store/override/override.js'
import { parseOverride } from '../../src/store/override/override-document.js'
import { manualClock } from '../support/manual-clock.js'
import { newFiles, outcomeAt, setUpRollout, start } from './rollout-setup.js'

const MINUTE = 60_000

describe('the loop of the rollout', () => {
  it('raises the share by good executions alone, keeps and notifies each change, and leaves the override as it is', async () => {
    const set = setUpRollout()
    await set.start()
    const before = parseOverride(set.files.override ?? '')
    await set.asks(start())
    expect(set.percent).to.equal(1)
    for (let minute = 0; minute < 5; minute += 1) {
      set.executes(20)
      await set.passes(MINUTE + 2000)
    }
    expect(set.rollout.snapshot().rollout.progress.state).to.equal('finished')
    expect(set.kept.map(({ kind, toPercent }) => [kind, toPercent])).to.deep.equal([
      ['started', 1],
      ['raised', 5],
      ['raised', 25],
      ['raised', 100],
      ['finished', 100],
    ])
    expect(set.notified).to.deep.equal(set.kept)
    expect(set.kept[1]?.evidence).to.include({ total: 20, errors: 0 })
    expect(parseOverride(set.files.override ?? '')).to.deep.equal(before)
    await set.rollout.stop()
  })

  it('waits for executions, and for better ones', async () => {
    const set = setUpRollout()
    await set.start()
    await set.asks(start())
    await set.passes(3 * MINUTE)
    expect(set.rollout.snapshot()).to.include({ waitsFor: 'samples', secondsLeft: 0 })
    set.executes(12)
    set.executes(8, 'error')
    await set.passes(2000)
    expect(set.rollout.snapshot()).to.include({ waitsFor: 'rates' })
    expect(set.percent).to.equal(1)
    await set.rollout.stop()
  })

  it('goes back at once on a breach and judges the stage below by its own executions', async () => {
    const set = setUpRollout()
    await set.start()
    await set.asks(start())
    for (let minute = 0; minute < 2; minute += 1) {
      set.executes(20)
      await set.passes(MINUTE + 2000)
    }
    expect(set.percent).to.equal(25)
    const late = outcomeAt(set.clock, 'error', 30_000)
    set.executes(20, 'error')
    await set.passes(1000)
    expect(set.percent).to.equal(5)
    expect(set.kept.at(-1)).to.include({ kind: 'lowered', cause: 'error_rate', value: 1 })
    set.rollout.record(late)
    await set.passes(1000)
    expect(set.rollout.snapshot().evidence.total, 'began at the stage before').to.equal(0)
    set.executes(20, 'error')
    await set.passes(1000)
    expect(set.percent).to.equal(0)
    expect(set.kept.at(-1)).to.include({ kind: 'stopped' })
    await set.rollout.stop()
  })

  it('stays where it is during a fallback, whatever its executions say', async () => {
    const set = setUpRollout()
    await set.start()
    await set.asks(start())
    set.executes(20)
    await set.passes(MINUTE + 2000)
    const trip = { cause: 'health', value: 6, threshold: 6 } as const
    set.knobs.override = { ...NEUTRAL, auto: { state: 'fallback', trip, since: 0, holdUntil: 0 } }
    await set.passes(1000)
    set.executes(30)
    await set.passes(3 * MINUTE)
    expect([set.percent, set.rollout.snapshot().waitsFor]).to.deep.equal([5, 'fallback'])
    set.knobs.override = NEUTRAL
    await set.passes(2000)
    expect(set.rollout.snapshot().evidence.total).to.equal(0)
    set.executes(20)
    await set.passes(MINUTE + 2000)
    expect(set.percent).to.equal(25)
    await set.rollout.stop()
  })

  it('is not held by a manual fallback of some orgs', async () => {
    const set = setUpRollout()
    await set.start()
    await set.asks(start())
    set.knobs.override = {
      ...NEUTRAL,
      manual: { scope: 'orgs', target: { kind: 'orgs', orgIds: ['acme'] }, reason: '' },
    }
    set.executes(20)
    await set.passes(MINUTE + 2000)
    expect(set.percent).to.equal(5)
    await set.rollout.stop()
  })

  it('answers for a session by its own word where that is newer than the provider’s', async () => {
    const set = setUpRollout()
    const me = { orgId: 'o', userId: 'u', agentId: 'a', sessionId: 's' }
    await set.start()
    expect(set.rollout.shareFor(me, { on: true })).to.deep.equal({ on: true, whose: 'provider' })
    await set.asks(start({ stages: [100], everyMinutes: 1 }))
    expect(set.rollout.shareFor(me, { on: false })).to.deep.equal({ on: true, whose: 'own' })
    expect(set.rollout.shareFor(me, { on: false, revision: 1 })).to.deep.equal({
      on: false,
      whose: 'provider',
    })
    expect(set.rollout.shareFor(me, { on: false, revision: 1, isGuess: true })).to.include({ whose: 'own' })
    set.knobs.writeFault = { code: 'ENOSPC', message: 'full' }
    await set.asks({ kind: 'abort', userId: 'ops', reason: '' })
    expect(set.rollout.shareFor(me, { on: true, revision: 1 })).to.deep.equal({ on: false, whose: 'own' })
    expect(set.rollout.snapshot()).to.deep.include({
      persisted: false,
      alerts: [{ kind: 'not_persisted', detail: 'ENOSPC: full' }],
    })
    await set.rollout.stop()
  })

  it('does not start where the file cannot be written', async () => {
    const set = setUpRollout()
    await set.start()
    set.knobs.writeFault = { code: 'EROFS', message: 'read-only' }
    const { rollout } = await set.asks(start())
    expect(rollout.progress.state).to.equal('none')
    set.knobs.writeFault = undefined
    await set.passes(MINUTE)
    expect(set.percent).to.equal(0)
    await set.rollout.stop()
  })

  it('ends by the operators’ flag as soon as it changes, and names who edited it', async () => {
    const set = setUpRollout()
    await set.start()
    await set.asks(start())
    await set.asks({ kind: 'flags_edited', userId: 'boss' })
    expect(set.percent).to.equal(1)
    set.knobs.opsMode = 'runtime'
    set.flagsChanged()
    await set.passes(100)
    expect(set.kept.at(-1)).to.include({ kind: 'made_permanent', userId: 'boss' })
    await set.rollout.stop()
  })

  it('goes on after rounds that failed, and tells of the fault once', async () => {
    const set = setUpRollout()
    await set.start()
    await set.asks(start())
    set.knobs.flagsFail = true
    await set.passes(5000)
    expect(set.rollout.snapshot().alerts).to.deep.equal([{ kind: 'loop_failed', detail: 'no flags today' }])
    set.knobs.flagsFail = false
    set.executes(20)
    await set.passes(MINUTE + 2000)
    expect(set.percent).to.equal(5)
    expect(set.rollout.snapshot().alerts).to.deep.equal([])
    expect(set.lines.filter(({ msg }) => String(msg).includes('the loop failed'))).to.have.length(1)
    await set.rollout.stop()
  })

  it('is led by one of two replicas: one change each, one lease, which goes when the leader stops', async () => {
    const [clock, files] = [manualClock(), newFiles()]
    const a = setUpRollout({ clock, files, replica: 'a' })
    const b = setUpRollout({ clock, files, replica: 'b' })
    await a.start()
    await b.start()
    await a.asks(start())
    for (let minute = 0; minute < 2; minute += 1) {
      await a.passes(2000)
      a.executes(20)
      b.executes(20)
      await a.passes(MINUTE)
    }
    expect(a.percent).to.equal(25)
    const changes = [...a.kept, ...b.kept]
    expect(changes.map(({ kind }) => kind).sort()).to.deep.equal(['raised', 'raised', 'started'])
    expect([a, b].map(({ rollout }) => rollout.snapshot().lease.mine).filter(Boolean)).to.have.length(1)
    const [leader, other] = a.rollout.snapshot().lease.mine ? [a, b] : [b, a]
    await leader.rollout.stop()
    expect(JSON.parse(files.lease ?? '{}').owner).to.equal(null)
    await other.passes(2000)
    other.executes(20)
    await other.passes(MINUTE)
    expect(other.percent).to.equal(100)
    await other.rollout.stop()
  })
})
