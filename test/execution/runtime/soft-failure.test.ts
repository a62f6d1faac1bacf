import { expect } from 'chai'
import fc from 'fast-check'
import { endsSentence, SoftFailureScreen } from '../../../src/execution/runtime/soft-failure.js'

const ERROR = 'I encountered an error:'
const MID = 'I completed the task but encountered an issue generating the response:'

function screen(): SoftFailureScreen {
  return new SoftFailureScreen([ERROR, MID])
}

/** What comes out of the chunks, or undefined at a match. */
function run(chunks: readonly string[], under = screen()): string[] | undefined {
  const out: string[] = []
  for (const chunk of chunks) {
    const passed = under.take(chunk)
    if (passed === undefined) return undefined
    out.push(passed)
  }
  return [...out, under.release()]
}

describe('soft failures', () => {
  it('passes ordinary text at once', () => {
    expect(screen().take('Hello')).to.equal('Hello')
  })

  it('matches an opening that is a whole prefix or goes on after it', () => {
    expect(screen().take(ERROR)).to.equal(undefined)
    expect(screen().take(`${ERROR} Planning failed`)).to.equal(undefined)
  })

  it('holds an opening until it differs', () => {
    expect(run(['I ', 'enc', 'ourage you'])).to.deep.equal(['', '', 'I encourage you', ''])
  })

  it('matches an opening in pieces', () => {
    expect(run([...ERROR])).to.equal(undefined)
    expect(run(['I completed the task but', ' encountered an issue generating the response', ':'])).to.equal(
      undefined,
    )
  })

  it('releases held text at a good end', () => {
    expect(run(['I enc'])).to.deep.equal(['', 'I enc'])
  })

  it('goes on checking an opening that was released for a committing event', () => {
    const under = screen()
    expect(under.take('I enc')).to.equal('')
    expect(under.holds).to.equal(true)
    expect(under.release()).to.equal('I enc')
    expect(under.holds).to.equal(false)
    expect(under.take('ountered an')).to.equal('')
    expect(under.release()).to.equal('ountered an')
    expect(under.take(' error: x')).to.equal(undefined)
  })

  it('sends only what was not released when the opening differs after all', () => {
    const under = screen()
    under.take('I ')
    under.release()
    expect(under.take('see')).to.equal('see')
    expect(under.release()).to.equal('')
  })

  it('matches a later chunk after the end of a sentence or line', () => {
    for (const before of ['Done.', 'Done.  ', 'Line\n', '好。', 'What?', 'He said "no."', 'As follows:\n']) {
      expect(run([before, `${MID} Connection error.`]), before).to.equal(undefined)
    }
  })

  it('holds a later chunk inside a sentence until something follows', () => {
    for (const before of ['The log says ', 'The log says: ', 'The log says: "', '日志：', 'First;'])
      expect(run([before, `${ERROR} disk full`]), before).to.deep.equal([before, '', `${ERROR} disk full`])
    const under = screen()
    under.take('The log says ')
    under.take(`${ERROR} x`)
    expect(under.suspects).to.equal(true)
    expect(under.take(' and')).to.equal(`${ERROR} x and`)
    expect(under.suspects).to.equal(false)
  })

  it('does not match a later chunk that is no longer than the prefix, or begins otherwise', () => {
    expect(run(['Done.', ERROR])).to.deep.equal(['Done.', ERROR, ''])
    expect(run(['Done.', MID])).to.deep.equal(['Done.', MID, ''])
    expect(run(['Done.', ` ${ERROR} x`])).to.deep.equal(['Done.', ` ${ERROR} x`, ''])
  })

  it('compares final_response only where it differs from the text', () => {
    const under = screen()
    under.take('Fine.')
    expect(under.failsFinally('Fine.')).to.equal(false)
    expect(under.failsFinally('Other')).to.equal(false)
    expect(under.failsFinally(`${ERROR} x`)).to.equal(true)
    const open = new SoftFailureScreen([])
    open.take('x')
    expect(open.failsFinally(`${ERROR} x`)).to.equal(false)
  })

  it('stays bounded for an answer without end and still sees how the text ends', () => {
    const under = screen()
    for (let n = 0; n < 40; n += 1) under.take('y'.repeat(50_000))
    expect(under.take(`${ERROR} x`)).not.to.equal(undefined)
    under.take('End.')
    expect(under.take(`${ERROR} x`)).to.equal(undefined)
  })

  it('knows the ends of sentences and lines', () => {
    for (const ended of ['', '.', '! ', '…', '。」', 'x\n', 'x\r\n', '.\t'])
      expect(endsSentence(ended), ended).to.equal(true)
    for (const open of ['x', 'x,', 'x (', '"x', 'x:', 'x: "', '：', 'x;'])
      expect(endsSentence(open), open).to.equal(false)
  })

  it('loses and invents no text, however it is cut', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.string({ maxLength: 5 }),
        fc.integer({ min: 1, max: 30 }).map((n) => MID.slice(0, n)),
      ),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(pieces, fc.array(fc.boolean(), { maxLength: 6 }), (chunks, releases) => {
        const under = screen()
        let out = ''
        for (const [at, chunk] of chunks.entries()) {
          const passed = under.take(chunk)
          if (passed === undefined) return
          out += passed
          if (releases[at] === true) out += under.release()
          expect(chunks.join('').startsWith(out)).to.equal(true)
        }
        expect(out + under.release()).to.equal(chunks.join(''))
      }),
      { numRuns: 300 },
    )
  })

  it('finds an opening failure however it is cut', () => {
    const cuts = fc.array(fc.integer({ min: 0, max: ERROR.length + 3 }), { maxLength: 6 })
    fc.assert(
      fc.property(cuts, (at) => {
        const text = `${ERROR} no`
        const places = [0, ...at.sort((a, b) => a - b), text.length]
        const chunks = places.slice(1).map((end, n) => text.slice(places[n], end))
        expect(run(chunks)).to.equal(undefined)
      }),
      { numRuns: 100 },
    )
  })
})
