import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { expect } from 'chai'
import { resetSocket } from '../../../src/core/net/reset-socket.js'

describe('a socket that is reset', () => {
  let server: Server
  let client: Socket
  let socket: Socket

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    client = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true })
    const [theirs] = (await accepted) as [Socket]
    socket = theirs
    socket.on('error', () => {})
  })
  afterEach(async () => {
    client.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  it('tells its peer that there was no clean end', async () => {
    client.pause()
    socket.write(Buffer.alloc(20 * 1_048_576))
    socket.end()
    const failed = once(client, 'error')
    resetSocket(socket)
    await once(socket, 'close')
    client.resume()
    const [error] = await failed
    expect(error).to.include({ code: 'ECONNRESET' })
  })

  for (const ticks of [0, 1, 2, 3])
    it(`is closed too where it began to end ${ticks} ticks before`, async () => {
      const closed = once(socket, 'close')
      socket.end()
      for (let tick = 0; tick < ticks; tick += 1)
        await new Promise<void>((resolve) => process.nextTick(resolve))
      resetSocket(socket)
      await closed
    })

  it('is closed too where its end is with the peer', async () => {
    socket.end()
    await once(socket, 'finish')
    const closed = once(socket, 'close')
    resetSocket(socket)
    await closed
  })
})
