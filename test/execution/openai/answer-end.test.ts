import { expect } from 'chai'
import { answer, BROKEN, DONE, data, SSE, text, usage } from './driven-answer.js'

describe('the end of an answer', () => {
  it('is [DONE], with the facts and the usage in the last batch', () => {
    const { reads, told, clock } = answer()
    reads(text('a'), text('', 'stop') + usage(5) + DONE)
    expect(told).to.deep.equal(['a', 'close', 'complete', 'facts stop+usage 5', 'end'])
    expect(clock.pending()).to.equal(0)
  })

  it('has no batch where there is nothing to tell', () => {
    const { reads, told } = answer()
    reads(text('a'), DONE)
    expect(told).to.deep.equal(['a', 'close', 'complete', 'end'])
  })

  it('is a second after the reason, from the last thing that came with a meaning', () => {
    const { reads, told, clock } = answer()
    reads(text('a', 'stop'))
    expect(told).to.deep.equal(['a', 'complete'])
    clock.advance(999)
    reads(usage(5))
    expect(told).to.deep.equal(['a', 'complete', 'complete'])
    clock.advance(600)
    reads(': ping\n\n', usage(6))
    clock.advance(999)
    reads(': ping\n\n')
    expect(told.slice(3)).to.deep.equal(['complete'])
    clock.advance(1)
    expect(told.slice(4)).to.deep.equal(['close', 'complete', 'facts stop+usage 6', 'end'])
    expect(clock.pending()).to.equal(0)
  })

  it('is a second after the last text, and after a reason without text', () => {
    const late = answer()
    late.reads(text('a', 'stop'))
    late.clock.advance(600)
    late.reads(text('b', 'stop'))
    late.clock.advance(999)
    expect(late.told).to.deep.equal(['a', 'complete', 'b'])
    late.clock.advance(1)
    expect(late.told.slice(3)).to.deep.equal(['close', 'complete', 'facts stop', 'end'])
    const bare = answer()
    bare.reads(text('a'), text('', 'stop'))
    expect(bare.told).to.deep.equal(['a', 'complete'])
    bare.clock.advance(1000)
    expect(bare.told.slice(2)).to.deep.equal(['close', 'complete', 'facts stop', 'end'])
  })

  it('is not complete while text goes on after the reason', () => {
    const { reads, told, clock } = answer()
    reads(text('a', 'stop'), text('b', 'stop'))
    expect(told).to.deep.equal(['a', 'complete', 'b'])
    clock.advance(1000)
    expect(told.slice(3)).to.deep.equal(['close', 'complete', 'facts stop', 'end'])
  })

  it('comes with the body, and is told once', () => {
    const { reads, ends, told, running } = answer()
    reads(text('a', 'stop'))
    ends()
    ends(BROKEN)
    reads(text('late'))
    running.abort()
    expect(told).to.deep.equal(['a', 'complete', 'close', 'complete', 'facts stop', 'end'])
  })

  it('is early where the body ends without a reason', () => {
    const { reads, ends, told } = answer()
    reads(text('a'))
    ends()
    expect(told).to.deep.equal(['a', 'close', 'end llm_disconnected'])
  })

  it('is what broke it, unless the answer was complete before', () => {
    for (const [pieces, end] of [
      [[text('a')], ['close', 'end broken']],
      [[text('a', 'stop')], ['close', 'complete', 'facts stop', 'end']],
      [
        [text('a', 'stop'), text('b', 'stop')],
        ['close', 'end broken'],
      ],
    ] as const) {
      const { reads, ends, told } = answer()
      reads(...pieces)
      const before = told.length
      ends(BROKEN)
      expect(told.slice(before)).to.deep.equal(end)
    }
    const { reads, ends, told } = answer()
    reads(text('a', 'stop'))
    ends(new Error('not of the transport'))
    expect(told.slice(2)).to.deep.equal(['close', 'end Error: not of the transport'])
  })

  it('is what broke it before anybody could tell what it is', () => {
    const { reads, ends, told } = answer('')
    reads('da')
    ends(BROKEN)
    expect(told).to.deep.equal(['close', 'end broken'])
    const never = answer()
    never.ends(BROKEN)
    expect(never.told).to.deep.equal(['close', 'end broken'])
  })

  it('is an error inside of it, behind the text before', () => {
    const { reads, told } = answer()
    reads(text('a') + data({ error: { code: 'boom' } }) + text('b'))
    expect(told).to.deep.equal(['close', 'a', 'end llm_error'])
  })

  it('tells what was held for more: half a tag, at a good end and at a bad one', () => {
    const good = answer()
    good.reads(text('<thi'), DONE)
    expect(good.told).to.deep.equal(['close', 'complete', '<thi', 'end'])
    const bad = answer()
    bad.reads(text('<thi'))
    bad.ends(BROKEN)
    expect(bad.told).to.deep.equal(['close', '<thi', 'end broken'])
  })

  it('takes the last chunk of a body without its line end, of one that broke there too', () => {
    for (const fault of [undefined, BROKEN]) {
      const { reads, ends, told } = answer()
      reads(text('a', 'stop').trimEnd())
      ends(fault)
      expect(told).to.deep.equal(['close', 'complete', 'a+facts stop', 'end'])
    }
  })

  it('may be a failure of the parser: a frame beyond the bound', () => {
    const { reads, told } = answer()
    reads(`data: ${'x'.repeat(17_000_000)}`)
    expect(told).to.deep.equal(['close', 'end frame_too_large'])
  })
})

describe('an answer of JSON', () => {
  const line = (content: string, finish_reason: string | null = null): string =>
    `${JSON.stringify({ choices: [{ delta: { content }, finish_reason }] })}\n`

  it('needs no reason where it is one completion, and needs one where it is several lines', () => {
    const one = answer('application/json')
    one.reads(JSON.stringify({ choices: [{ message: { content: 'a' } }] }))
    one.ends()
    expect(one.told).to.deep.equal(['close', 'complete', 'a', 'end'])
    const lines = answer('application/x-ndjson')
    lines.reads(line('a'), line('b'))
    lines.ends()
    expect(lines.told).to.deep.equal(['a', 'b', 'close', 'end llm_disconnected'])
  })

  it('leaves out a torn line of a body that broke', () => {
    const { reads, ends, told } = answer('application/x-ndjson')
    reads(line('a'), line('b', 'stop').trimEnd())
    ends(BROKEN)
    expect(told).to.deep.equal(['a', 'close', 'end broken'])
  })

  it('is no answer where it is no completion', () => {
    const { reads, ends, told } = answer('application/json')
    reads('{"status":"ok"}')
    ends()
    expect(told).to.deep.equal(['close', 'end llm_protocol_error'])
  })
})

describe('a reader that has no room', () => {
  it('changes nothing by going on where the body was not stopped', () => {
    const { reads, told, running } = answer()
    running.resume()
    reads(text('a'))
    running.resume()
    expect(told).to.deep.equal(['a'])
  })

  it('stops the body, and its time does not run until it goes on', () => {
    let hasRoom = false
    const { reads, told, clock, running } = answer(SSE, () => hasRoom)
    reads(text('a', 'stop'))
    expect(told).to.deep.equal(['a', 'pause'])
    expect(clock.pending()).to.equal(0)
    clock.advance(5000)
    hasRoom = true
    running.resume()
    expect(told).to.deep.equal(['a', 'pause', 'complete', 'resume'])
    running.resume()
    expect(told).to.have.lengthOf(4)
    clock.advance(1000)
    expect(told.slice(4)).to.deep.equal(['close', 'complete', 'facts stop', 'end'])
  })

  it('has no time running from before, and none while nothing says that it ends', () => {
    let hasRoom = true
    const { reads, told, clock, running } = answer(SSE, () => hasRoom)
    reads(text('a', 'stop'))
    hasRoom = false
    reads(text('b', 'stop'))
    expect(clock.pending()).to.equal(0)
    expect(told).to.deep.equal(['a', 'complete', 'b', 'pause'])
    const open = answer(SSE, () => false)
    open.reads(text('a'))
    open.running.resume()
    expect(open.told).to.deep.equal(['a', 'pause', 'resume'])
    expect(open.clock.pending()).to.equal(0)
    running.close()
    running.resume()
    expect(told).to.deep.equal(['a', 'complete', 'b', 'pause', 'close'])
  })
})

describe('an answer that is given up', () => {
  it('ends at once', () => {
    const { reads, told, running, clock } = answer()
    reads(text('a', 'stop'))
    running.abort()
    reads(text('b'))
    clock.advance(5000)
    // Complete before: what is given up then is only the wait for the usage.
    expect(told).to.deep.equal(['a', 'complete', 'close', 'complete', 'facts stop', 'end'])
    const open = answer()
    open.reads(text('a'))
    open.running.abort()
    expect(open.told).to.deep.equal(['a', 'close', 'end aborted'])
  })

  it('says nothing any more once it is closed', () => {
    const { reads, ends, told, running, clock } = answer()
    reads(text('a', 'stop'))
    running.close()
    reads(text('b'))
    ends()
    clock.advance(5000)
    expect(told).to.deep.equal(['a', 'complete', 'close'])
    expect(clock.pending()).to.equal(0)
  })
})
