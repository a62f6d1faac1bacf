import { EventEmitter } from 'node:events'
import { expect } from 'chai'
import { createReaderWatch } from '../../../src/http/stream/reader-watch.js'
import { manualClock } from '../../support/manual-clock.js'

/** A response as far as the watch sees it; `fire` is the socket's idle timer. */
function fakeResponse() {
  const emitter = new EventEmitter()
  return Object.assign(emitter, {
    writableLength: 1,
    armedMs: 0,
    setTimeout(ms: number) {
      this.armedMs = ms
    },
    fire: () => emitter.emit('timeout'),
  })
}

function watched(limitMs: number) {
  const clock = manualClock()
  const response = fakeResponse()
  const seen = { stuck: 0 }
  const watch = createReaderWatch(response, limitMs, clock, () => {
    seen.stuck += 1
  })
  const look = (afterMs: number): void => {
    clock.advance(afterMs)
    response.fire()
  }
  // The look that finds bytes waiting.
  clock.advance(limitMs / 6)
  return { clock, response, seen, watch, look }
}

describe('the watch over a reader', () => {
  it('looks six times within the limit, and cuts off when nothing moved all the while', () => {
    const { response, seen, look } = watched(30_000)
    for (let at = 1; at <= 6; at += 1) {
      expect([response.armedMs, seen.stuck]).to.deep.equal([5_000, 0])
      look(5_000)
    }
    expect(seen.stuck).to.equal(1)
  })

  it("has the socket's timer, which each write sets anew, only while bytes wait at its looks", () => {
    const { clock, response, seen, look } = watched(30_000)
    look(5_000)
    response.writableLength = 0
    clock.advance(5_000)
    expect(response.armedMs).to.equal(0)
    clock.advance(60_000)
    expect(response.armedMs).to.equal(0)
    response.writableLength = 1
    clock.advance(5_000)
    expect(response.armedMs).to.equal(5_000)
    for (let at = 1; at <= 5; at += 1) look(5_000)
    expect(seen.stuck).to.equal(0)
    look(5_000)
    expect(seen.stuck).to.equal(1)
  })

  it('counts afresh when something moved in between, however little', () => {
    const { seen, look } = watched(30_000)
    for (let round = 0; round < 20; round += 1) {
      for (let at = 1; at <= 4; at += 1) look(5_000)
      look(9_000)
    }
    expect(seen.stuck).to.equal(0)
  })

  it('counts afresh when nothing waits for the reader', () => {
    const { response, seen, look } = watched(30_000)
    for (let at = 1; at <= 5; at += 1) look(5_000)
    response.writableLength = 0
    look(5_000)
    response.writableLength = 1
    for (let at = 1; at <= 5; at += 1) look(5_000)
    expect(seen.stuck).to.equal(0)
  })

  it('stops', () => {
    const { clock, response, watch } = watched(30_000)
    watch.stop()
    expect(response.listenerCount('timeout')).to.equal(0)
    expect(clock.pending()).to.equal(0)
  })
})
