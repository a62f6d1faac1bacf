import { expect } from 'chai'
import type { FromWorker } from '../../src/workers/messages.js'
import { joinSiblings } from '../../src/workers/siblings.js'
import { manualClock } from '../support/manual-clock.js'
import { settled } from '../support/turn-runner.js'

function worker(onStop: () => void = () => undefined) {
  const clock = manualClock()
  const sent: FromWorker[] = []
  let tell: (message: unknown) => void = () => undefined
  const channel = {
    send: (message: FromWorker) => void sent.push(message),
    onMessage(listener: (message: unknown) => void) {
      tell = listener
    },
  }
  const siblings = joinSiblings(channel, clock, onStop)
  const metrics = siblings.exposition(async () => ({ contentType: 'text/plain', body: 'own 1\n' }))
  return { clock, sent, metrics, tell: (message: unknown) => tell(message) }
}

describe('a worker among others', () => {
  it('tells the metrics of all', async () => {
    const { sent, metrics, tell } = worker()
    const asked = metrics('prometheus')
    expect(sent).to.deep.equal([{ kind: 'metrics_asked', ask: 1, format: 'prometheus' }])
    tell({ kind: 'all_metrics', ask: 1, bodies: ['# TYPE a gauge\na 1\n', '# TYPE a gauge\na 2\n'] })
    expect(await asked).to.deep.equal({ contentType: 'text/plain', body: '# TYPE a gauge\na 1\na 2\n' })
  })

  it('tells its own alone where the primary does not answer', async () => {
    const { clock, metrics } = worker()
    const asked = metrics()
    clock.advance(2000)
    expect((await asked).body).to.equal('own 1\n')
  })

  it('tells the primary its own where another is asked', async () => {
    const { sent, tell } = worker()
    tell({ kind: 'own_metrics', ask: 3, format: 'prometheus' })
    await settled()
    expect(sent).to.deep.equal([{ kind: 'metrics_told', ask: 3, body: 'own 1\n' }])
  })

  it('stops when the primary says so, and at nothing else', () => {
    let stops = 0
    const { tell } = worker(() => {
      stops += 1
    })
    for (const message of [undefined, 'stop', { kind: 'go' }, { kind: 'all_metrics', ask: 9, bodies: [] }])
      tell(message)
    expect(stops).to.equal(0)
    tell({ kind: 'stop' })
    expect(stops).to.equal(1)
  })
})
