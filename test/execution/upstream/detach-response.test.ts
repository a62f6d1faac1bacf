import { createServer, Agent as HttpAgent, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import got from 'got'
import { detachResponse, onOwnEndListeners } from '../../../src/execution/upstream/detach-response.js'

describe('a response taken off got', () => {
  let server: Server
  let agent: HttpAgent
  let connections: number
  /** what the server does after the first bytes of its answer */
  let goesOn: (socket: IncomingMessage['socket'], end: () => void) => void

  beforeEach(async () => {
    connections = 0
    agent = new HttpAgent({ keepAlive: true })
    server = createServer((request, response) => {
      request.resume().once('end', () => {
        response.writeHead(200)
        response.write('one ')
        goesOn(request.socket, () => response.end('two'))
      })
    })
    server.on('connection', () => (connections += 1))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })

  afterEach(async () => {
    agent.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  async function detached(): Promise<IncomingMessage> {
    const { port } = server.address() as AddressInfo
    const request = got.stream.post(`http://127.0.0.1:${port}`, {
      body: 'hello',
      agent: { http: agent },
      decompress: false,
    })
    let own: readonly unknown[] = []
    request.once('request', (native) => onOwnEndListeners(native, (listeners) => (own = listeners)))
    return await new Promise((resolve, reject) => {
      request.once('error', reject)
      request.once('response', (response: IncomingMessage) => {
        detachResponse(response, own)
        resolve(response)
      })
    })
  }

  const textOf = (response: IncomingMessage): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      response.on('error', () => (text += ' broken'))
      response.on('data', (chunk: Buffer) => (text += String(chunk)))
      response.once('close', () => resolve(text))
    })

  it('holds nothing of got', async () => {
    goesOn = (_socket, end) => end()
    const response = (await detached()) as IncomingMessage & { readonly req: NodeJS.EventEmitter }
    expect(response).to.have.property('request', undefined)
    expect(response.eventNames()).to.deep.equal(['end'])
    expect(response.listenerCount('end')).to.equal(1)
    expect(response.req.eventNames()).to.have.members(['finish', 'error'])
    await textOf(response)
  })

  it('is read to its end, and its connection is used again', async () => {
    goesOn = (_socket, end) => end()
    expect(await textOf(await detached())).to.equal('one two')
    expect(await textOf(await detached())).to.equal('one two')
    expect(connections).to.equal(1)
  })

  it('tells its reader of a connection that breaks, and nobody else', async () => {
    goesOn = (socket) => setImmediate(() => socket.resetAndDestroy())
    expect(await textOf(await detached())).to.equal('one  broken')
  })
})
