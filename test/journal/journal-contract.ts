import { expect } from 'chai'
import type { Observation } from '../../src/journal/comparison.js'
import { type EvidenceSample, JournalUnavailable, type Transition } from '../../src/journal/journal.js'
import { rejection } from '../support/rejection.js'
import { journalRig, type Open } from './journal-rig.js'

export const trip = (revision: number, more: Partial<Transition> = {}): Transition => ({
  at: Date.UTC(2026, 0, 1) + revision,
  from: 'normal',
  to: 'fallback',
  manualFrom: 'none',
  manualTo: 'none',
  actor: 'auto',
  replica: 'a',
  trips: 1,
  revision,
  ...more,
})

/** Everything a transition may have. */
const WHOLE: Transition = trip(7, {
  kind: 'relapse',
  from: 'recovering',
  manualFrom: 'orgs',
  manualTo: 'all',
  actor: 'manual',
  userId: 'alice',
  cause: 'error_rate',
  value: 0.55,
  threshold: 0.5,
  reason: '演练 "drill" \'1\'',
  trips: 3,
  holdUntil: Date.UTC(2026, 0, 2),
  recoveringPercent: 12.5,
  adopted: true,
  evidence: { runtime: { total: 50, errors: [1, 2] }, probes: [{ ok: false }], none: null },
  guardrails: { errorRate: 0.5, softFailures: ['I encountered an error:'] },
})

export const sample = (seq: number, more: Partial<EvidenceSample> = {}): EvidenceSample => ({
  at: Date.UTC(2026, 0, 1) + seq,
  replica: 'a',
  run: 'run-1',
  seq,
  input: { seq },
  ...more,
})

/** What every journal does. */
export function journalContract(open: Open): void {
  const rig = journalRig(open)

  const revisions = async (limit: number, before?: number): Promise<number[]> =>
    (await rig.journal.transitions(limit, before)).map(({ revision }) => revision)
  const sequence = async (run: string): Promise<number[]> =>
    (await rig.journal.samples(run)).map(({ seq }) => seq)

  it('begins empty', async () => {
    expect(await rig.journal.transitions(10)).to.deep.equal([])
    expect(await rig.journal.samples('run-1')).to.deep.equal([])
    expect(rig.journal.dropped).to.equal(0)
  })

  it('gives a transition back as it was, with an id', async () => {
    rig.journal.keepTransition(WHOLE)
    expect(await rig.journal.transitions(10)).to.deep.equal([{ ...WHOLE, id: 1 }])
  })

  it('gives one with nothing optional back without it', async () => {
    rig.journal.keepTransition(trip(1))
    expect(await rig.journal.transitions(10)).to.deep.equal([{ ...trip(1), id: 1 }])
  })

  it('tells the newest first, page by page', async () => {
    for (let revision = 1; revision <= 250; revision += 1) rig.journal.keepTransition(trip(revision))
    const newest = await rig.journal.transitions(3)
    expect(newest.map(({ revision }) => revision)).to.deep.equal([250, 249, 248])
    expect(await revisions(2, newest.at(-1)?.id)).to.deep.equal([247, 246])
    const all = await revisions(500)
    expect(all).to.deep.equal(Array.from({ length: 250 }, (_, index) => 250 - index))
    expect(await revisions(500, 1)).to.deep.equal([])
    expect(await revisions(0)).to.deep.equal([])
  })

  it('keeps what it was told, not what became of it', async () => {
    const evidence = { errors: 1 }
    rig.journal.keepTransition(trip(1, { evidence }))
    evidence.errors = 2
    expect((await rig.journal.transitions(1))[0]?.evidence).to.deep.equal({ errors: 1 })
  })

  it('gives the samples of one run in order', async () => {
    for (const seq of [2, 0, 1]) rig.journal.keepSample(sample(seq))
    rig.journal.keepSample(sample(0, { run: 'run-2', replica: 'b', input: [1, null, 'x'] }))
    expect(await rig.journal.samples('run-1')).to.deep.equal([sample(0), sample(1), sample(2)])
    expect(await rig.journal.samples('run-2')).to.deep.equal([
      sample(0, { run: 'run-2', replica: 'b', input: [1, null, 'x'] }),
    ])
    expect(await rig.journal.samples('run-3')).to.deep.equal([])
  })

  it('tells what the samples of a span say of probes and commands, whatever run they are of', async () => {
    const tick = (failures: number) => ({
      kind: 'tick',
      evidence: { probe: { failures, healthy: failures === 0 }, runtime: 'x'.repeat(3000) },
      guardrails: { probeFailures: 6 },
    })
    const command = { kind: 'reset', userId: 'ann' }
    const inputs = [
      { kind: 'start', self: {}, now: 0 },
      tick(0),
      { kind: 'command', command, now: 1 },
      { kind: 'probe', healthy: false },
      tick(6),
      { kind: 'checkpoint', state: { a: 1 } },
      [1, null],
      { kind: 'probe', healthy: true },
    ]
    for (const [seq, input] of inputs.entries())
      rig.journal.keepSample(sample(seq, { input, run: `run-${seq % 2}` }))
    const from = sample(1).at
    const observed: Observation[] = []
    for await (const page of rig.journal.observations({ from, to: from + 6 })) observed.push(...page)
    expect(observed).to.deep.equal([
      { at: from, runtimeHealthy: true },
      { at: from + 1, command },
      { at: from + 2, runtimeHealthy: false },
      { at: from + 3, runtimeHealthy: false },
    ])
  })

  it('keeps a sample with the override twice in it, for as many orgs as a person may name', async () => {
    const input = { one: 'x'.repeat(50_000), other: 'x'.repeat(50_000), evidence: 'x'.repeat(5000) }
    rig.journal.keepSample(sample(0, { input }))
    expect(await rig.journal.samples('run-1')).to.deep.equal([sample(0, { input })])
  })

  it('gives more samples than one page holds', async () => {
    for (let seq = 0; seq < 350; seq += 1) rig.journal.keepSample(sample(seq))
    expect(await sequence('run-1')).to.deep.equal(Array.from({ length: 350 }, (_, index) => index))
  })

  it('keeps any text that somebody writes', async () => {
    for (const reason of ['', 'a\nb', '\u{1f9ef}', "'; DROP TABLE transitions; --"]) {
      rig.journal.keepTransition(trip(1, { reason }))
      expect((await rig.journal.transitions(1))[0]?.reason).to.equal(reason)
    }
    rig.journal.keepTransition(trip(1, { reason: 'a\0b\ud800c', userId: 'x'.repeat(5_000) }))
    const [odd] = await rig.journal.transitions(1)
    expect(odd?.reason).to.equal('a\ufffdb\ufffdc')
    expect(odd?.userId).to.have.length(2_000)
  })

  it('keeps a transition whose evidence is no JSON or too much, without it', async () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    for (const evidence of [circular, 1n, () => 1, 'x'.repeat(70_000), undefined, null]) {
      rig.journal.keepTransition(trip(1, { evidence, guardrails: { errorRate: 0.5 } }))
      const [kept] = await rig.journal.transitions(1)
      expect(kept).to.not.have.property('evidence')
      expect(kept?.guardrails).to.deep.equal({ errorRate: 0.5 })
    }
    expect(rig.journal.dropped).to.equal(0)
  })

  it('leaves a value out that is no number', async () => {
    rig.journal.keepTransition(trip(1, { value: Number.NaN, threshold: Number.POSITIVE_INFINITY }))
    expect(await rig.journal.transitions(1)).to.deep.equal([{ ...trip(1), id: 1 }])
  })

  it('drops and counts a sample whose input is no JSON or too much', async () => {
    for (const input of [1n, undefined, 'x'.repeat(140_000)]) rig.journal.keepSample(sample(0, { input }))
    expect(rig.journal.dropped).to.equal(3)
    expect(await sequence('run-1')).to.deep.equal([])
  })

  it('keeps the newest, so many of each', async () => {
    for (let round = 0; round < 10; round += 1) {
      for (let index = 0; index < 90; index += 1) {
        const number = round * 90 + index
        rig.journal.keepTransition(trip(number))
        rig.journal.keepSample(sample(number))
      }
      await rig.pass(0)
    }
    const kept = await revisions(1_000)
    expect([kept.length, kept[0], kept.at(-1)]).to.deep.equal([300, 899, 600])
    const samples = await sequence('run-1')
    expect([samples.length, samples[0], samples.at(-1)]).to.deep.equal([500, 400, 899])
  })

  it('keeps nothing beyond its time, and goes on counting', async () => {
    rig.journal.keepTransition(trip(1))
    rig.journal.keepSample(sample(1))
    await rig.pass(8)
    expect(await sequence('run-1')).to.deep.equal([])
    expect(await revisions(10)).to.deep.equal([1])
    await rig.pass(360)
    expect(await revisions(10)).to.deep.equal([])
    rig.journal.keepTransition(trip(2, { at: rig.wall() }))
    expect((await rig.journal.transitions(1))[0]).to.include({ id: 2, revision: 2 })
  })

  describe('where the wall clock is 400 days ahead for a while', () => {
    it('loses nothing, also where entries are written meanwhile', async () => {
      rig.journal.keepTransition(trip(1, { at: rig.wall() }))
      rig.journal.keepSample(sample(1, { at: rig.wall() }))
      await rig.pass(0)
      await rig.jump(400)
      rig.journal.keepTransition(trip(2, { at: rig.wall() }))
      rig.journal.keepSample(sample(2, { at: rig.wall() }))
      await rig.pass(0)
      await rig.pass(0)
      await rig.jump(-400)
      expect(await sequence('run-1')).to.deep.equal([1, 2])
      expect(await revisions(10)).to.deep.equal([2, 1])
      // Ages count again once the time is right.
      await rig.pass(8)
      rig.journal.keepSample(sample(3, { at: rig.wall() }))
      await rig.pass(0)
      expect(await revisions(10)).to.deep.equal([2, 1])
      expect(await sequence('run-1')).to.deep.equal([2, 3])
    })

    it('still keeps no more than so many', async () => {
      await rig.jump(400)
      for (let number = 0; number < 350; number += 1) rig.journal.keepTransition(trip(number))
      await rig.pass(0)
      await rig.pass(0)
      expect(await revisions(1_000)).to.have.length(300)
    })

    it('deletes by age again where it stays so: the clock was wrong before', async () => {
      rig.journal.keepSample(sample(1, { at: rig.wall() }))
      await rig.jump(400)
      await rig.pass(0.5)
      expect(await sequence('run-1')).to.deep.equal([1])
      await rig.pass(1)
      await rig.pass(0)
      expect(await sequence('run-1')).to.deep.equal([])
    })
  })

  it('deletes nothing by age while nothing new is kept', async () => {
    rig.journal.keepTransition(trip(1))
    await rig.idle(400)
    expect(await revisions(10)).to.deep.equal([1])
    rig.journal.keepTransition(trip(2, { at: rig.wall() }))
    await rig.pass(0)
    expect(await revisions(10)).to.deep.equal([2])
  })

  it('says when it is closed, drops what comes later and may be closed again', async () => {
    await Promise.all([rig.journal.close(), rig.journal.close()])
    await rig.journal.close()
    rig.journal.keepTransition(trip(1))
    rig.journal.keepSample(sample(1))
    expect(rig.journal.dropped).to.equal(2)
    expect(await rejection(rig.journal.transitions(1))).to.be.instanceOf(JournalUnavailable)
    expect(await rejection(rig.journal.samples('run-1'))).to.be.instanceOf(JournalUnavailable)
    expect(rig.clock.pending()).to.equal(0)
  })
}
