import { expect } from 'chai'
import { faultOf, hear, NOTHING_HEARD } from './stream-check.js'
import { isFlat, LEAST_BLOCKS, type Point, trendOf } from './trend.js'
import { askedOf } from './usage.js'

const event = (id: number, name: string, data: object): string =>
  `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`
const text = (id: number, content: string): string =>
  event(id, 'message', { type: 'text', data: { content } })
const MESSAGE = 'm-1 end'
const FIRST = text(1, '[direct] Answer 2 to: ')
const REST = text(2, MESSAGE) + event(3, 'done', { executionMode: 'direct_llm' })

describe('the soak: the check of a stream', () => {
  const faultIn = (...connections: string[]): string =>
    faultOf(connections.reduce(hear, NOTHING_HEARD), MESSAGE)

  it('accepts a whole answer, over one connection or several, with heartbeats', () => {
    expect(faultIn(FIRST + REST)).to.equal('')
    expect(faultIn(`${FIRST}event: heartbeat\ndata: null\n\nid: 2\neve`, REST)).to.equal('')
  })

  it('accepts an error, and a turn that was stopped, as an end', () => {
    expect(faultIn(FIRST + event(2, 'error', { code: 'gap_timeout' }))).to.equal('')
    expect(faultIn(FIRST + event(2, 'done', { stopped: true }))).to.equal('')
  })

  for (const [what, connections] of [
    ['no end', [FIRST]],
    ['two ends', [FIRST + REST + event(4, 'done', {})]],
    ['a text after the end', [FIRST + REST + text(4, 'x')]],
    ['an event twice', [FIRST, FIRST + REST]],
    ['an event that is missing', [FIRST, text(3, MESSAGE)]],
    ['a done without the whole answer', [FIRST + event(2, 'done', {})]],
    ['an unknown event', [FIRST + event(2, 'bye', {})]],
  ] as const)
    it(`knows ${what}`, () => {
      expect(faultIn(...connections)).not.to.equal('')
    })
})

describe('the soak: growth', () => {
  /** so many blocks of 50 s, a sample each 5 s; a swing of one block's length beside the growth */
  const series = (blocks: number, perHour: number, swing = 5): Point[] =>
    Array.from({ length: blocks * 10 + 1 }, (_, n) => ({
      at: 100 + n * 5,
      value: 40 + (perHour * n * 5) / 3600 + swing * Math.sin((n * Math.PI) / 5) + 0.2 * Math.sin(n * n),
    }))

  it('finds the growth of a line, with an interval around it', () => {
    const trend = trendOf(series(20, 12), 50)
    if (trend.kind !== 'line') throw new Error(trend.kind)
    expect(trend.blocks).to.equal(20)
    expect(trend.perHour).to.be.closeTo(12, 1)
    expect(trend.low).to.be.lessThan(12)
    expect(trend.high).to.be.greaterThan(12)
    expect(isFlat(trend, 5)).to.equal(false)
    expect(isFlat(trend, 20)).to.equal(true)
  })

  it('calls flat what swings and does not grow', () => {
    const trend = trendOf(series(20, 0), 50)
    if (trend.kind !== 'line') throw new Error(trend.kind)
    expect(isFlat(trend, 0)).to.equal(true)
  })

  it('does not judge a run that is too short', () => {
    expect(trendOf(series(LEAST_BLOCKS - 1, 100), 50)).to.deep.equal({
      kind: 'too_short',
      blocks: LEAST_BLOCKS - 1,
    })
    expect(trendOf([], 50)).to.deep.equal({ kind: 'too_short', blocks: 0 })
  })

  it('has the interval of a known regression', () => {
    // One sample a block: y = x + e with e = 1, -1, 1, -1 … over 12 points of 1 s.
    const points = Array.from({ length: 13 }, (_, n) => ({ at: n, value: n + (n % 2 === 0 ? 1 : -1) }))
    const trend = trendOf(points, 1)
    if (trend.kind !== 'line') throw new Error(trend.kind)
    // Slope 1 - 6/143; residual sum 12 - 36/143; t(0.975, 10) = 2.228.
    const slope = 1 - 6 / 143
    const reach = 2.2281 * Math.sqrt((12 - 36 / 143) / 10 / 143)
    expect(trend.perHour / 3600).to.be.closeTo(slope, 1e-9)
    expect(trend.high / 3600).to.be.closeTo(slope + reach, 1e-4)
    expect(trend.low / 3600).to.be.closeTo(slope - reach, 1e-4)
  })
})

describe('the soak: its command line', () => {
  it('takes minutes or hours, and half an hour by default', () => {
    expect(askedOf([])).to.deep.equal({ kind: 'run', minutes: 30, write: false })
    expect(askedOf(['--minutes', '5'])).to.deep.equal({ kind: 'run', minutes: 5, write: false })
    expect(askedOf(['--write', '--hours', '1.5'])).to.deep.equal({ kind: 'run', minutes: 90, write: true })
    expect(askedOf(['--help']).kind).to.equal('help')
  })

  it('refuses what it does not know', () => {
    for (const argv of [
      ['--hour', '1'],
      ['--hours'],
      ['--minutes', 'x'],
      ['--minutes', '0'],
      ['--hours', '999'],
    ])
      expect(askedOf(argv).kind, argv.join(' ')).to.equal('wrong')
  })
})
