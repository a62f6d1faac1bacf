import { expect } from 'chai'
import fc from 'fast-check'
import { type Asking, type Capacity, FairQueue } from '../../src/limits/fair-queue.js'

interface Turn extends Asking {
  readonly id: number
}

const WEIGHTS: Readonly<Record<string, number>> = { a: 1, b: 1, c: 2, d: 0.5 }
const ORGS = Object.keys(WEIGHTS)
const weightOf = (org: string): number => WEIGHTS[org] ?? 1

type Step =
  | { readonly kind: 'arrives'; readonly org: string; readonly next: boolean }
  | { readonly kind: 'leaves'; readonly pick: number }
  | { readonly kind: 'gives up'; readonly pick: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('arrives' as const),
      org: fc.constantFrom(...ORGS),
      next: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('leaves' as const), pick: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gives up' as const), pick: fc.nat(1000) }) },
)

/** The queue beside a plain account of who has a place and who waits. */
class Model {
  readonly running: Turn[] = []
  readonly waiting: Turn[] = []
  readonly queue: FairQueue<Turn>
  #ids = 0

  constructor(readonly capacity: Capacity) {
    this.queue = new FairQueue(() => capacity)
  }

  share(org: string, more = 0): number {
    return (this.running.filter(({ orgId }) => orgId === org).length + more) / weightOf(org)
  }

  load(org: string, more = 0): number {
    return this.share(org, this.waiting.filter(({ orgId }) => orgId === org).length + more)
  }

  /** @returns what the queue said, and whom it pushed out */
  arrive(org: string, next = false) {
    this.#ids += 1
    const turn: Turn = { id: this.#ids, orgId: org, weight: weightOf(org), kind: next ? 'next' : 'new' }
    const isRefused = this.queue.wouldRefuse(turn)
    const arrival = this.queue.arrive(turn)
    expect(isRefused).to.equal(arrival.kind === 'refused')
    if (arrival.kind === 'placed') this.running.push(turn)
    if (arrival.kind !== 'waits') return { turn, arrival }
    if (arrival.pushedOut !== undefined) this.waiting.splice(this.waiting.indexOf(arrival.pushedOut), 1)
    this.waiting.push(turn)
    return { turn, arrival }
  }

  leave(pick: number, check: (placed: Turn) => void = () => undefined): void {
    const [gone] = this.running.splice(pick % Math.max(1, this.running.length), 1)
    if (gone === undefined) return
    for (const placed of this.queue.leave(gone.orgId)) {
      check(placed)
      this.waiting.splice(this.waiting.indexOf(placed), 1)
      this.running.push(placed)
    }
  }

  giveUp(pick: number): void {
    const [gone] = this.waiting.splice(pick % Math.max(1, this.waiting.length), 1)
    if (gone !== undefined) expect(this.queue.withdraw(gone)).to.equal(true)
  }
}

const capacities = fc.record({
  waitingOfOrg: fc.integer({ min: 1, max: 8 }),
  places: fc.integer({ min: 1, max: 12 }),
  waiting: fc.integer({ min: 0, max: 8 }),
})

describe('places shared among orgs', () => {
  it('are never more than there are, and none is free while a turn waits', () => {
    fc.assert(
      fc.property(capacities, fc.array(step, { maxLength: 200 }), ({ places, ...line }, steps) => {
        const model = new Model({ places, newPlaces: places, ...line })
        for (const one of steps) {
          if (one.kind === 'leaves') model.leave(one.pick)
          else if (one.kind === 'gives up') model.giveUp(one.pick)
          else {
            const { arrival } = model.arrive(one.org, one.next)
            if (arrival.kind !== 'placed') expect(model.running).to.have.lengthOf(places)
            if (arrival.kind === 'refused') {
              const own = model.waiting.filter(({ orgId }) => orgId === one.org).length
              expect(model.waiting.length >= line.waiting || own >= line.waitingOfOrg).to.equal(true)
            }
          }
          expect(model.running.length).to.be.at.most(places)
          expect(model.waiting.length).to.be.at.most(line.waiting)
          if (model.waiting.length > 0) expect(model.running).to.have.lengthOf(places)
          expect([model.queue.taken, model.queue.waiting]).to.deep.equal([
            model.running.length,
            model.waiting.length,
          ])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('go, when one is free, to the org that has least for its weight', () => {
    fc.assert(
      fc.property(capacities, fc.array(step, { maxLength: 200 }), ({ places, ...line }, steps) => {
        const model = new Model({ places, newPlaces: places, ...line })
        for (const one of steps) {
          if (one.kind === 'arrives') model.arrive(one.org, one.next)
          else if (one.kind === 'gives up') model.giveUp(one.pick)
          else
            model.leave(one.pick, (placed) => {
              for (const other of model.waiting)
                expect(model.share(placed.orgId, 1)).to.be.at.most(model.share(other.orgId, 1))
            })
        }
      }),
      { numRuns: 300 },
    )
  })

  it('no turn is refused while one waits whose org has more for its weight', () => {
    fc.assert(
      fc.property(capacities, fc.array(step, { maxLength: 200 }), ({ places, ...line }, steps) => {
        const model = new Model({ places, newPlaces: places, ...line })
        for (const one of steps) {
          if (one.kind === 'leaves') model.leave(one.pick)
          else if (one.kind === 'gives up') model.giveUp(one.pick)
          else {
            const before = [...model.waiting]
            const mine = model.load(one.org, 1)
            const loads = new Map(before.map(({ orgId }) => [orgId, model.load(orgId)]))
            const { arrival } = model.arrive(one.org, one.next)
            if (arrival.kind === 'refused')
              for (const [org, load] of loads) if (org !== one.org) expect(load).to.be.at.most(mine)
            if (arrival.kind !== 'waits' || arrival.pushedOut === undefined) continue
            const { orgId } = arrival.pushedOut
            if (orgId !== one.org) expect(loads.get(orgId)).to.be.greaterThan(mine)
            expect(loads.get(orgId)).to.equal(Math.max(...loads.values()))
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('come to the shares of the weights while every org asks for more, whoever asks most', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 400, maxLength: 400 }), (picks) => {
        const model = new Model({ places: 18, newPlaces: 18, waiting: 18, waitingOfOrg: 4 })
        for (let turn = 0; turn < 40; turn += 1) model.arrive('a')
        for (const pick of picks) {
          // Ten turns of `a` for each of another org.
          for (let turn = 0; turn < 10; turn += 1) model.arrive('a')
          for (const org of ['b', 'c', 'd']) model.arrive(org)
          model.leave(pick)
        }
        // 18 places by weights of 1, 1, 2 and 0.5: 4, 4, 8 and 2.
        const open = ORGS.map((org) => model.running.filter(({ orgId }) => orgId === org).length)
        for (const [at, fair] of [4, 4, 8, 2].entries()) expect(open[at]).to.be.closeTo(fair, 1)
      }),
      { numRuns: 20 },
    )
  })

  it('go to turns of sessions before new sessions of the same org, and the others wait longer', () => {
    const model = new Model({ places: 1, newPlaces: 1, waiting: 3, waitingOfOrg: 3 })
    model.arrive('a')
    const first = model.arrive('a').turn
    const second = model.arrive('a', true).turn
    const order: Turn[] = []
    model.leave(0, (placed) => order.push(placed))
    model.leave(0, (placed) => order.push(placed))
    expect(order).to.deep.equal([second, first])
  })

  it('are fewer for new sessions where that is told, and those of sessions do not wait behind them', () => {
    const model = new Model({ places: 3, newPlaces: 1, waiting: 3, waitingOfOrg: 3 })
    expect(model.arrive('a').arrival.kind).to.equal('placed')
    expect(model.arrive('b').arrival.kind).to.equal('waits')
    expect(model.arrive('b', true).arrival.kind).to.equal('placed')
    expect(model.arrive('a', true).arrival.kind).to.equal('placed')
    expect(model.arrive('a', true).arrival.kind).to.equal('waits')
  })

  it('look at the capacity as often for a hundred orgs that wait as for one', () => {
    const looksOf = (orgs: number): number => {
      let looks = 0
      const queue = new FairQueue<Asking>(() => {
        looks += 1
        return { places: 1, newPlaces: 1, waiting: orgs, waitingOfOrg: 1 }
      })
      queue.arrive({ orgId: 'first', weight: 1, kind: 'new' })
      for (let org = 0; org < orgs; org += 1) queue.arrive({ orgId: `org-${org}`, weight: 1, kind: 'new' })
      expect(queue.waiting).to.equal(orgs)
      looks = 0
      queue.fill()
      expect(queue.leave('first')).to.have.lengthOf(1)
      return looks
    }
    expect(looksOf(100)).to.equal(looksOf(1))
  })
})
