import { Writable } from 'node:stream'
import { expect } from 'chai'
import { PushStreams, UNAVAILABLE } from '../../../src/core/flagd/push-streams.js'
import { changeEvent, KEEP_ALIVE, mergeEvents } from '../../../src/simulator/flagd/flagd-events.js'
import { fromStruct, toStruct } from '../../../src/simulator/flagd/flagd-struct.js'

/** A client that takes the next message only when told to. */
class SlowCall extends Writable {
  readonly taken: unknown[] = []
  readonly errors: unknown[] = []
  #next = () => {}

  constructor() {
    super({ objectMode: true, highWaterMark: 1 })
    this.on('error', (error) => this.errors.push(error))
  }

  override _write(message: unknown, _encoding: string, done: () => void): void {
    this.taken.push(message)
    this.#next = done
  }

  /** Takes the message in hand; the stream's `drain` follows. */
  async read(): Promise<void> {
    const drained = new Promise((resolve) => this.once('drain', resolve))
    this.#next()
    await drained
  }
}

describe('flagd simulator, streams', () => {
  it('hold one merged message for a client that does not read', async () => {
    const streams = new PushStreams<string>((waiting, next) => `${waiting}+${next}`)
    const call = new SlowCall()
    streams.open(call, 'first')
    for (const message of ['a', 'b', 'c']) streams.send(message)
    expect(call.writableLength).to.equal(1)
    await call.read()
    expect(call.taken).to.deep.equal(['first', 'a+b+c'])
    await call.read()
    streams.send('d')
    expect(call.taken).to.deep.equal(['first', 'a+b+c', 'd'])
  })

  it('end with the status once and send nothing after', () => {
    const streams = new PushStreams<string>((_waiting, next) => next)
    const call = new SlowCall()
    streams.open(call, 'first')
    streams.end(UNAVAILABLE)
    streams.end(UNAVAILABLE)
    streams.send('late')
    expect(call.errors).to.deep.equal([UNAVAILABLE])
    expect(call.taken).to.deep.equal(['first'])
  })

  it('forget a client that left', () => {
    const streams = new PushStreams<string>((_waiting, next) => next)
    const call = new SlowCall()
    streams.open(call, 'first')
    call.emit('cancelled')
    streams.end(UNAVAILABLE)
    expect(call.errors).to.deep.equal([])
  })

  it('merge changes, and drop a keep_alive beside them', () => {
    const one = changeEvent(new Map([['a', 'write' as const]]))
    const two = changeEvent(
      new Map([
        ['a', 'delete' as const],
        ['b', 'update' as const],
      ]),
    )
    expect(fromStruct(mergeEvents(one, two).data)).to.deep.equal({
      flags: { a: { type: 'delete' }, b: { type: 'update' } },
    })
    expect(mergeEvents(one, KEEP_ALIVE)).to.equal(one)
    expect(mergeEvents(KEEP_ALIVE, one)).to.equal(one)
  })
})

describe('flagd simulator, Struct', () => {
  it('carries JSON there and back', () => {
    const json = { text: 'ü', zero: 0, no: false, none: null, list: [1, [true, {}]], deep: { a: { b: '' } } }
    expect(fromStruct(toStruct(json))).to.deep.equal(json)
    expect(fromStruct(undefined)).to.deep.equal({})
  })
})
