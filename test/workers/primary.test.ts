import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import type { FromPrimary } from '../../src/workers/messages.js'
import { createPrimary, type Primary, type WorkerProcess } from '../../src/workers/primary.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'

class FakeWorker implements WorkerProcess {
  readonly sent: FromPrimary[] = []
  killed = false
  listening: () => void = () => undefined
  exit: (code: number | null) => void = () => undefined
  tell: (message: unknown) => void = () => undefined
  constructor(readonly number: number) {}
  send(message: FromPrimary): void {
    this.sent.push(message)
  }
  kill(): void {
    this.killed = true
  }
  onMessage(listener: (message: unknown) => void): void {
    this.tell = listener
  }
  onListening(listener: () => void): void {
    this.listening = listener
  }
  onExit(listener: (code: number | null) => void): void {
    this.exit = listener
  }
}

describe('the primary of several workers', () => {
  let clock: ManualClock
  let forked: FakeWorker[]
  let ends: number[]
  let primary: Primary
  const at = (index: number): FakeWorker => {
    const worker = forked[index]
    if (worker === undefined) throw new Error(`no worker ${index}`)
    return worker
  }

  beforeEach(() => {
    clock = manualClock()
    forked = []
    ends = []
    primary = createPrimary({
      workers: 2,
      clock,
      logger: silentLogger,
      fork: (number) => {
        const worker = new FakeWorker(number)
        forked.push(worker)
        return worker
      },
      stopMs: 5000,
      onEnd: (code) => void ends.push(code),
    })
    primary.start()
  })

  const allListen = (): void => {
    for (const worker of forked) worker.listening()
  }

  it('starts one for each place', () => {
    expect(forked.map(({ number }) => number)).to.deep.equal([1, 2])
  })

  it('starts one that ended again, each time later, and soon again where it had lived long', () => {
    allListen()
    const restartsAfter = (livedMs: number): number => {
      clock.advance(livedMs)
      const before = forked.length
      at(before - 1).exit(null)
      let waited = 0
      while (forked.length === before) {
        clock.advance(500)
        waited += 500
      }
      return waited
    }
    expect([10, 10, 10, 10, 10, 10, 10].map(restartsAfter)).to.deep.equal([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000,
    ])
    expect(restartsAfter(60_000)).to.equal(1000)
    expect(forked.slice(2).every(({ number }) => number === 2)).to.equal(true)
    expect(ends).to.deep.equal([])
  })

  it('ends with the exit code of the first that ends where none could start', () => {
    at(1).exit(2)
    expect(at(0).sent).to.deep.equal([{ kind: 'stop' }])
    expect(ends).to.deep.equal([])
    at(0).exit(0)
    clock.advance(60_000)
    expect(ends).to.deep.equal([2])
    expect(forked).to.have.length(2)
  })

  it('stops all and ends when the last has ended', () => {
    allListen()
    primary.stop()
    expect(forked.map(({ sent }) => sent)).to.deep.equal([[{ kind: 'stop' }], [{ kind: 'stop' }]])
    at(0).exit(0)
    expect(ends).to.deep.equal([])
    at(1).exit(0)
    expect(ends).to.deep.equal([0])
  })

  it('says with its code that one of them did not stop well', () => {
    allListen()
    primary.stop()
    at(0).exit(1)
    at(1).exit(0)
    expect(ends).to.deep.equal([1])
  })

  it('kills what has not ended in time, or at the second call', () => {
    allListen()
    primary.stop()
    clock.advance(5900)
    expect(forked.some(({ killed }) => killed)).to.equal(false)
    clock.advance(200)
    expect(forked.every(({ killed }) => killed)).to.equal(true)
    for (const worker of forked) worker.killed = false
    primary.stop()
    expect(forked.every(({ killed }) => killed)).to.equal(true)
  })

  it('stops at once while a worker waits for its restart', () => {
    allListen()
    at(0).exit(null)
    at(1).exit(null)
    primary.stop()
    expect(ends).to.deep.equal([0])
    clock.advance(60_000)
    expect(forked).to.have.length(2)
  })

  it('gathers the metrics of all for the one that asks, without one that says nothing', () => {
    allListen()
    const ask = (): void => at(0).tell({ kind: 'metrics_asked', ask: 7, format: 'prometheus' })
    ask()
    const own = at(1).sent[0]
    expect(own).to.include({ kind: 'own_metrics', format: 'prometheus' })
    const number = own?.kind === 'own_metrics' ? own.ask : 0
    at(1).tell({ kind: 'metrics_told', ask: number, body: 'b' })
    at(0).tell({ kind: 'metrics_told', ask: number, body: 'a' })
    expect(at(0).sent.at(-1)).to.deep.equal({ kind: 'all_metrics', ask: 7, bodies: ['b', 'a'] })

    ask()
    at(0).tell({ kind: 'metrics_told', ask: number + 1, body: 'a' })
    expect(at(0).sent.at(-1)).to.include({ kind: 'own_metrics' })
    clock.advance(1000)
    expect(at(0).sent.at(-1)).to.deep.equal({ kind: 'all_metrics', ask: 7, bodies: ['a'] })
  })

  it('takes no notice of what it does not know', () => {
    at(0).tell({ kind: 'other' })
    at(0).tell('text')
    at(0).tell({ kind: 'metrics_told', ask: 99, body: 'late' })
    expect(at(0).sent).to.deep.equal([])
  })
})
