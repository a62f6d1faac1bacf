import { expect } from 'chai'
import { FlagFaults } from '../../src/decision/flag-faults.js'
import { RefusedFlags } from '../../src/decision/values/refused-flags.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { manualClock } from '../support/manual-clock.js'

function setUp() {
  const clock = manualClock()
  const { logger, lines } = capturingLogger()
  const faults = new FlagFaults(clock, logger)
  const messages = () => lines.map(({ level, msg }) => `${level} ${msg}`)
  return { clock, faults, lines, messages }
}

const fault = (message: string) => ({ where: 'a.json', line: 3, message })

describe('flag faults', () => {
  it('are told once however often they are found, and once when they are mended', () => {
    const { faults, messages } = setUp()
    for (let at = 0; at < 5; at++) faults.replace('file', [fault('torn')])
    expect(faults.list()).to.deep.equal([{ ...fault('torn'), since: '2026-01-01T00:00:00.000Z' }])
    for (let at = 0; at < 5; at++) faults.replace('file', [])
    expect(messages()).to.deep.equal(['40 [Flags] torn', '30 [Flags] mended: torn'])
    expect(faults.list()).to.deep.equal([])
  })

  it('keep the time they were first seen while other faults come and go', () => {
    const { clock, faults } = setUp()
    faults.replace('file', [fault('a')])
    clock.advance(1000)
    faults.replace('file', [fault('a'), fault('b')])
    expect(faults.list().map(({ since }) => since)).to.deep.equal([
      '2026-01-01T00:00:00.000Z',
      '2026-01-01T00:00:01.000Z',
    ])
  })

  it('are others with another place, line or text, and logged with both', () => {
    const { faults, lines, messages } = setUp()
    // Each differs from the one before in one of the three.
    const [where, line] = ['b.json', 4]
    const all = [fault('a'), { ...fault('a'), line }, { ...fault('a'), line, where }]
    for (const one of [...all, { ...fault('b'), line, where }]) faults.replace('file', [one])
    expect(messages()).to.deep.equal([
      '40 [Flags] a',
      ...['a', 'a', 'b'].flatMap((text) => [`40 [Flags] ${text}`, '30 [Flags] mended: a']),
    ])
    expect(lines.map(({ where, line }) => `${where}:${line}`)).to.deep.equal([
      ...['a.json:3', 'a.json:4', 'a.json:3', 'b.json:4', 'a.json:4', 'b.json:4', 'b.json:4'],
    ])
    faults.replace('daemon', [{ where: 'daemon', message: 'away' }])
    expect(lines.at(-1)).to.include({ where: 'daemon' }).and.not.have.property('line')
  })

  it('are known by the source that has any', () => {
    const { faults } = setUp()
    expect(faults.has('file')).to.equal(false)
    faults.replace('file', [fault('a')])
    expect([faults.has('file'), faults.has('daemon')]).to.deep.equal([true, false])
    faults.replace('file', [])
    expect(faults.has('file')).to.equal(false)
  })

  it('of one file are bounded', () => {
    const { faults } = setUp()
    faults.replace(
      'file',
      Array.from({ length: 100 }, (_, at) => fault(`fault ${at}`)),
    )
    expect(faults.list()).to.have.length(20)
  })
})

describe('refused flags', () => {
  it('are told once although one org has a good variant and another a bad one, turn by turn', () => {
    const { clock, faults, messages } = setUp()
    const refused = new RefusedFlags(faults, clock)
    for (let turn = 0; turn < 50; turn++) {
      refused.refuse('flag', 'bad')
      refused.accept('flag')
      clock.advance(100)
    }
    expect(messages()).to.have.length(1)
  })

  it('are told once although they are refused for different reasons, turn by turn', () => {
    const { clock, faults, messages } = setUp()
    const refused = new RefusedFlags(faults, clock)
    for (let turn = 0; turn < 50; turn++) refused.refuse('flag', turn % 2 === 0 ? 'bad' : 'worse')
    expect(messages()).to.have.length(1)
  })

  it('are mended by a good value once the flags have changed', () => {
    const { clock, faults } = setUp()
    const refused = new RefusedFlags(faults, clock)
    refused.refuse('flag', 'bad')
    refused.flagsChanged()
    refused.accept('flag')
    expect(faults.list()).to.deep.equal([])
  })

  it('are mended without an announced change when nothing was refused for a while', () => {
    const { clock, faults } = setUp()
    const refused = new RefusedFlags(faults, clock)
    refused.refuse('flag', 'bad')
    clock.advance(10_000)
    refused.accept('flag')
    expect(faults.list()).to.deep.equal([])
  })
})
