import { expect } from 'chai'
import fc from 'fast-check'
import { MemoryStreamLog } from '../../../src/http/stream/memory-stream-log.js'
import { eventText } from '../../../src/http/stream/sse-channel.js'
import type { KeptStream } from '../../../src/http/stream/stream-log.js'
import { manualClock } from '../../support/manual-clock.js'

const owner = { orgId: 'acme', userId: 'user-1' }
const opened = (log: MemoryStreamLog, streamId: string) => log.open({ streamId, sessionId: 's', owner })
const event = (id: number, size = 1) => eventText({ event: 'message', id, data: `"${'x'.repeat(size)}"` })

/** All text after an event, or that some of it is gone. */
function readFrom(kept: KeptStream, id: number): string {
  let text = ''
  for (let at = id; ; ) {
    const piece = kept.after(at)
    if (piece === 'given_up') return piece
    if (piece === undefined) return text
    text += piece.text
    at = piece.lastId
  }
}

describe('the streams kept in memory', () => {
  it('are read from any event to the end, however the events were written', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }), (batches) => {
        const writer = opened(new MemoryStreamLog({ clock: manualClock(), maxBytes: 1e9 }), 'one')
        let id = 0
        let all = ''
        const starts = [0]
        for (const count of batches) {
          let text = ''
          for (let n = 0; n < count; n += 1) {
            id += 1
            text += event(id)
            starts.push(all.length + text.length)
          }
          all += text
          writer.append(text, id)
        }
        const found = starts.map((_, after) => readFrom(writer.kept, after))
        expect(found).to.deep.equal(starts.map((start) => all.slice(start)))
      }),
    )
  })

  it('are given up from the beginning where one is over its share', () => {
    const log = new MemoryStreamLog({ clock: manualClock(), maxBytes: 1e9, maxStreamBytes: 200_000 })
    const writer = opened(log, 'one')
    for (let id = 1; id <= 20_000; id += 1) writer.append(event(id), id)
    expect(log.bytes).to.be.within(100_000, 200_000)
    expect(readFrom(writer.kept, 0)).to.equal('given_up')
    expect(readFrom(writer.kept, 19_999)).to.equal(event(20_000))
    expect(readFrom(writer.kept, 20_000)).to.equal('')
  })

  it('keep a mebibyte of each by themselves', () => {
    const log = new MemoryStreamLog({ clock: manualClock(), maxBytes: 1e9 })
    const writer = opened(log, 'one')
    for (let id = 1; id <= 40; id += 1) writer.append(event(id, 65_536), id)
    expect(log.bytes).to.be.within(983_040, 1_048_576)
  })

  it('take little at first, and twice as much with each chunk up to 16 KiB', () => {
    const log = new MemoryStreamLog({ clock: manualClock(), maxBytes: 1e9 })
    const writer = opened(log, 'one')
    const sizes = new Set<number>()
    for (let id = 1; log.bytes < 60_000; id += 1) {
      writer.append(event(id), id)
      sizes.add(log.bytes)
    }
    expect([...sizes]).to.deep.equal([256, 768, 1_792, 3_840, 7_936, 16_128, 32_512, 48_896, 65_280])
  })

  it('of all together give up the one that ended first before the others, and running ones last', () => {
    const log = new MemoryStreamLog({ clock: manualClock(), maxBytes: 875 })
    const running = opened(log, 'running')
    running.append(event(1, 70), 1)
    const [first, second] = ['first', 'second'].map((name) => {
      const writer = opened(log, name)
      writer.append(event(1, 70), 1)
      return writer
    })
    second?.end()
    first?.end()
    const more = opened(log, 'more')
    more.append(event(1, 70), 1)
    expect(log.find('second')?.after(0)).to.equal('given_up')
    expect(log.find('second')?.after(1), 'who has seen its end').to.equal(undefined)
    expect(log.find('first')?.after(0)).to.not.equal('given_up')
    more.append(event(2, 375), 2)
    expect(log.find('first')?.after(0)).to.equal('given_up')
    expect(log.find('running')?.after(0)).to.equal('given_up')
    expect(log.find('more')?.after(1)).to.not.equal('given_up')
    running.append(event(2), 2)
    expect(readFrom(running.kept, 1), 'a running stream goes on').to.equal(event(2))
    expect(log.bytes).to.be.at.most(875)
  })

  it('are forgotten 5 min after their end', () => {
    const clock = manualClock()
    const log = new MemoryStreamLog({ clock, maxBytes: 10_000 })
    const writer = opened(log, 'one')
    writer.append(event(1), 1)
    clock.advance(3_600_000)
    expect(log.find('one')).to.not.equal(undefined)
    writer.end()
    clock.advance(299_999)
    expect(log.find('one')?.isOver).to.equal(true)
    clock.advance(1)
    expect(log.find('one')).to.equal(undefined)
    expect(log.bytes).to.equal(0)
  })

  it('hold no memory for one whose turn was told again under its id', () => {
    const log = new MemoryStreamLog({ clock: manualClock(), maxBytes: 3_500 })
    for (let again = 0; again < 3; again += 1) {
      const writer = opened(log, 'one')
      writer.append(event(1), 1)
      writer.end()
      expect(log.find('one')).to.equal(writer.kept)
      expect(log.bytes).to.equal(256)
    }
    const more = opened(log, 'more')
    more.append(event(1, 3_400), 1)
    expect(log.find('one')?.after(0), 'made room').to.equal('given_up')
    const last = opened(log, 'one')
    last.append(event(1), 1)
    last.end()
    log.erase('s')
    more.end()
    expect(log.find('one')).to.equal(undefined)
    expect(log.bytes).to.equal(0)
  })

  it('are erased by their session; one that runs goes on', () => {
    const log = new MemoryStreamLog({ clock: manualClock(), maxBytes: 10_000 })
    const [over, running] = [opened(log, 'over'), opened(log, 'running')]
    const other = log.open({ streamId: 'other', sessionId: 'another', owner })
    for (const writer of [over, running, other]) writer.append(event(1), 1)
    over.end()
    log.erase('s')
    expect(log.find('over')).to.equal(undefined)
    expect(log.find('running')?.after(0)).to.equal('given_up')
    expect(log.find('other')?.after(0)).to.not.equal('given_up')
    running.append(event(2), 2)
    expect(readFrom(running.kept, 1)).to.equal(event(2))
    expect(log.bytes).to.equal(2 * 256)
  })

  it('are of no use without their terminal event', () => {
    const log = new MemoryStreamLog({ clock: manualClock(), maxBytes: 10_000 })
    const writer = opened(log, 'one')
    writer.append(event(1), 1)
    writer.giveUp()
    expect([0, 1].map((id) => log.find('one')?.after(id))).to.deep.equal(['given_up', 'given_up'])
    expect(log.bytes).to.equal(0)
  })
})
