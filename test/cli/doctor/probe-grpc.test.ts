import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createSecureServer, createServer } from 'node:http2'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type GrpcFault, probeGrpc } from '../../../src/cli/doctor/probe-grpc.js'
import { makeAuthority, pemOf } from '../../support/certificates.js'
import { engine } from '../../support/engines.js'
import { freePort } from '../../support/free-port.js'

describe('the look of doctor at a gRPC server', () => {
  let servers: Server[] = []
  afterEach(() => {
    for (const server of servers) server.close()
    servers = []
  })

  async function listening(server: Server): Promise<number> {
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  const plain = () => listening(createServer())

  interface Asked {
    readonly tls?: boolean
    readonly host?: string
    readonly authorities?: string
    readonly limitMs?: number
  }

  const look = (port: number, { tls = false, host = '127.0.0.1', authorities, ...more }: Asked = {}) =>
    probeGrpc({ host, port, tls, authorities, ...more })
  const kind = (fault: GrpcFault | undefined): string | undefined => fault?.kind

  it('finds one that speaks HTTP/2', async () => {
    expect(await look(await plain())).to.equal(undefined)
  })

  it('tells what is not there from what is no gRPC', async () => {
    expect(await look(await freePort())).to.deep.equal({ kind: 'unreachable', why: 'ECONNREFUSED' })
    expect(await look(70_000)).to.deep.equal({ kind: 'unreachable', why: 'this is no address' })
    expect(kind(await look(await listening(createHttpServer())))).to.equal('no_grpc')
  })

  it('tells one that says nothing, after its time', async () => {
    expect(await look(await listening(createTcpServer()), { limitMs: 500 })).to.deep.equal({
      kind: 'no_grpc',
      why: 'no HTTP/2 within 0.5 s',
    })
  })

  it('tells one that speaks no TLS', async () => {
    expect(kind(await look(await plain(), { tls: true }))).to.equal('no_tls')
  })

  describe('over TLS', () => {
    const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-grpc-'))
    after(() => rmSync(directory, { recursive: true, force: true }))
    const authority = engine(async () => makeAuthority(directory))
    const named = { tls: true, host: 'localhost' }

    async function secure(): Promise<number> {
      const { cert, key } = authority().issue('localhost')
      return listening(createSecureServer({ cert: pemOf(cert), key: pemOf(key) }))
    }

    it('trusts the certificates of the authority that was named, for the name they are for', async () => {
      const port = await secure()
      expect(kind(await look(port, named))).to.equal('certificate')
      expect(await look(port, { ...named, authorities: authority().ca })).to.equal(undefined)
      expect(await look(port, { tls: true, authorities: authority().ca })).to.deep.equal({
        kind: 'certificate',
        why: 'ERR_TLS_CERT_ALTNAME_INVALID',
      })
      const missing = await look(port, { ...named, authorities: join(directory, 'none.pem') })
      expect(missing?.why).to.match(/^GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=.*none\.pem: ENOENT$/)
    })

    it('tells that it is spoken to without', async () => {
      expect(kind(await look(await secure()))).to.equal('no_grpc')
    })
  })
})
