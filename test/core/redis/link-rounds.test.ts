import { expect } from 'chai'
import { openRedis } from '../../../src/core/redis/open-redis.js'
import type { RedisConnection } from '../../../src/core/redis/redis-link.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'

/** Lets all that can go on without time go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

function setUp(connection: Partial<RedisConnection>) {
  const clock = manualClock()
  const seen = { destroyed: 0 }
  const made: RedisConnection = {
    isBroken: false,
    connect: async () => undefined,
    send: async () => 'PONG',
    publish: async () => undefined,
    subscribe: async () => undefined,
    unsubscribe: async () => undefined,
    destroy: () => {
      seen.destroyed += 1
    },
    ...connection,
  }
  const { logger } = capturingLogger()
  const link = openRedis({ clock, logger, prefix: 'test', connect: () => made })
  return { clock, link, seen }
}

describe('a link to Redis that connects', () => {
  it('closes within the deadline of a call, and keeps no connection that comes later', async () => {
    let connected: () => void = () => undefined
    const connect = () =>
      new Promise<void>((resolve) => {
        connected = resolve
      })
    const { clock, link, seen } = setUp({ connect })
    link.start()
    clock.advance(0)
    await settled()
    let isClosed = false
    const closing = link.close().then(() => {
      isClosed = true
    })
    expect(seen.destroyed).to.equal(1)
    clock.advance(1_000)
    await settled()
    expect(isClosed).to.equal(true)
    await closing
    connected()
    await settled()
    expect(seen.destroyed).to.equal(2)
    expect([link.isUp, clock.pending()]).to.deep.equal([false, 0])
  })

  it('subscribes a channel that is added while it subscribes the others', async () => {
    const heard: string[] = []
    let first: () => void = () => undefined
    const { clock, link } = setUp({
      subscribe: (channel) => {
        heard.push(channel)
        return channel === 'first'
          ? new Promise<void>((resolve) => {
              first = resolve
            })
          : Promise.resolve()
      },
    })
    link.subscribe('first', () => undefined)
    link.start()
    clock.advance(0)
    await settled()
    link.subscribe('second', () => undefined)
    first()
    await settled()
    expect(link.isUp).to.equal(true)
    expect(heard).to.deep.equal(['first', 'second'])
    await link.close()
    expect(clock.pending()).to.equal(0)
  })
})
