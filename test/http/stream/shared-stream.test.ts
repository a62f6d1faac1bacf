import { expect } from 'chai'
import { MemoryStreamLog } from '../../../src/http/stream/memory-stream-log.js'
import { SharedStream } from '../../../src/http/stream/shared-stream.js'
import { manualClock } from '../../support/manual-clock.js'

const GRACE_MS = 1_000

describe('a stream that is read on other replicas', () => {
  function make() {
    const clock = manualClock()
    const log = new MemoryStreamLog({ clock, maxBytes: 1e6 })
    const owner = { orgId: 'org-1', userId: 'u' }
    const lost: [why: string, unreadMs: number][] = []
    const stream = new SharedStream({
      writer: log.open({ streamId: '12345678-0000', sessionId: 's', owner }),
      clock,
      grace: { kind: 'cancel', afterMs: GRACE_MS },
      onReaderLost: (why, unreadMs) => lost.push([why, unreadMs]),
    })
    return { clock, stream, lost }
  }

  it('is given up once the last of them has left and the grace is over', () => {
    const { clock, stream, lost } = make()
    stream.holdFor('a', 6_000)
    stream.holdFor('b', 6_000)
    stream.release('a')
    clock.advance(5_000)
    expect(lost).to.deep.equal([])
    stream.release('b')
    clock.advance(GRACE_MS - 1)
    expect(lost).to.deep.equal([])
    clock.advance(1)
    expect(lost).to.deep.equal([['client_gone', GRACE_MS]])
  })

  it('counts one that gives no sign any more for the time it was told', () => {
    const { clock, stream, lost } = make()
    stream.holdFor('a', 6_000)
    clock.advance(4_000)
    stream.holdFor('a', 6_000)
    clock.advance(6_000 + GRACE_MS - 1)
    expect(lost).to.deep.equal([])
    clock.advance(1)
    expect(lost).to.deep.equal([['client_gone', GRACE_MS]])
  })

  it('waits for one that comes within the grace', () => {
    const { clock, stream, lost } = make()
    stream.holdFor('a', 6_000)
    stream.release('a')
    clock.advance(GRACE_MS - 1)
    stream.holdFor('b', 6_000)
    clock.advance(5_999)
    expect(lost).to.deep.equal([])
  })

  it('leaves no timer behind at its end, and takes none of them after it', () => {
    const { clock, stream, lost } = make()
    stream.release('nobody')
    stream.holdFor('a', 6_000)
    stream.end(undefined)
    expect(clock.pending()).to.equal(0)
    stream.holdFor('b', 6_000)
    stream.release('a')
    expect(clock.pending()).to.equal(0)
    clock.advance(10_000)
    expect(lost).to.deep.equal([])
  })
})
