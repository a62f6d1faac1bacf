import { expect } from 'chai'
import fc from 'fast-check'
import { connectFlagd } from '../../../src/decision/daemon/flagd-providers.js'
import {
  type FrameHead,
  FrameReader,
  isPing,
  PingPolicy,
  tooManyPings,
} from '../../../src/simulator/flagd/flagd-pings.js'
import { stringFlags, useFlagd } from '../../support/flagd-fixture.js'
import { until } from '../../support/until.js'

const PING: FrameHead = { type: 0x6, flags: 0 }
const DATA: FrameHead = { type: 0x0, flags: 0 }
const MIN_MS = 30_000

/** Pings that often, ms apart, and gives the time of the one that was too many. */
function endOf(everyMs: number, pings: number): number | undefined {
  const policy = new PingPolicy(MIN_MS)
  policy.sent([DATA])
  for (let at = 1; at <= pings; at++) if (policy.isTooMany([PING], at * everyMs)) return at * everyMs
  return undefined
}

describe('flagd simulator, pings', () => {
  it('are counted as flagd counts them: measured were ends after 20, 60 and 140 s', () => {
    const ends = [5000, 10_000, 20_000].map((everyMs) => endOf(everyMs, 100) ?? 0)
    const summed = ends.map((_, at) => ends.slice(0, at + 1).reduce((sum, ms) => sum + ms, 0))
    expect(summed).to.deep.equal([20_000, 60_000, 140_000])
    expect(endOf(30_000, 1000)).to.equal(undefined)
  })

  it('are forgiven by an answer in between', () => {
    const policy = new PingPolicy(MIN_MS)
    for (let at = 1; at <= 100; at++) {
      policy.sent([DATA])
      expect(policy.isTooMany([PING], at * 1000)).to.equal(false)
      expect(policy.isTooMany([PING], at * 1000 + 1)).to.equal(false)
    }
  })

  it('are found however the bytes are cut', () => {
    const frame = fc.record({
      type: fc.constantFrom(0x0, 0x1, 0x4, 0x6, 0x8),
      flags: fc.constantFrom(0, 1),
      length: fc.nat({ max: 40 }),
    })
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 30 })),
        (frames, cuts) => {
          const bytes = Buffer.concat([
            Buffer.alloc(24, 0x50),
            ...frames.map(({ type, flags, length }) =>
              Buffer.from([0, 0, length, type, flags, 0, 0, 0, 0, ...Array<number>(length).fill(6)]),
            ),
          ])
          const reader = new FrameReader('client')
          const heads: FrameHead[] = []
          let at = 0
          for (const cut of [...cuts, bytes.length]) {
            heads.push(...reader.read(bytes.subarray(at, at + cut)))
            at += cut
          }
          expect(heads).to.deep.equal(frames.map(({ type, flags }) => ({ type, flags })))
          expect(reader.isBetweenFrames).to.equal(true)
        },
      ),
    )
  })

  it('end with a whole frame', () => {
    const reader = new FrameReader('server')
    expect(reader.read(tooManyPings()).map(({ type }) => type)).to.deep.equal([0x7])
    expect(reader.isBetweenFrames).to.equal(true)
    expect(isPing(DATA)).to.equal(false)
  })
})

/** 100 times faster, beside what is no waiting of ours: connecting (500 ms) and the time a ping may take (20 s). */
const SPEED = 100
const PING_TIMEOUT_MS = 20_000

describe("the service's own connection to an idle flagd", () => {
  const flagd = useFlagd()
  const realSetTimeout = globalThis.setTimeout
  afterEach(() => {
    globalThis.setTimeout = realSetTimeout
  })

  function hurry(): void {
    const faster = (callback: () => void, delayMs = 0) =>
      realSetTimeout(callback, delayMs < 1000 || delayMs === PING_TIMEOUT_MS ? delayMs : delayMs / SPEED)
    globalThis.setTimeout = Object.assign(faster, { __promisify__: realSetTimeout.__promisify__ })
  }

  it('is never ended for too many pings, and pings', async () => {
    const files = [flagd().write('ops.json', stringFlags({ a: 'one' }))]
    const simulator = await flagd().simulator({ files, minPingMs: MIN_MS / SPEED })
    hurry()
    const address = { host: '127.0.0.1', port: simulator.port, tls: false }
    const connection = connectFlagd('in-process', address, () => {})
    try {
      await connection.provider.initialize?.()
      await until('six pings', () => simulator.pings().pings >= 6 || simulator.pings().cutOff > 0, 20_000)
      expect(simulator.pings()).to.deep.equal({ pings: 6, cutOff: 0 })
    } finally {
      await connection.close()
    }
  })
})
