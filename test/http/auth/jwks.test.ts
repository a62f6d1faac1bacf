import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import { errorOf } from '../../support/answers.js'
import { type Edge, startEdge } from '../../support/edge.js'

const claims = { sub: 'user-1', org_id: 'org-1', role: 'admin' }

interface KeyServer {
  readonly url: URL
  readonly server: Server
  keys: JWK[]
  mode: 'up' | 'error' | 'silent' | 'garbage'
  fetches: number
  close(): Promise<void>
}

async function startKeyServer(): Promise<KeyServer> {
  const state = { keys: [] as JWK[], mode: 'up' as KeyServer['mode'], fetches: 0 }
  const server = createServer((_req, res) => {
    state.fetches += 1
    if (state.mode === 'silent') return
    res.statusCode = state.mode === 'error' ? 500 : 200
    res.end(state.mode === 'garbage' ? '<html>' : JSON.stringify({ keys: state.keys }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return Object.assign(state, {
    url: new URL(`http://127.0.0.1:${port}/keys`),
    server,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  })
}

async function keyPair(alg: string, kid: string | undefined) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(kid === undefined ? {} : { kid }) }
  return { publicKey, privateKey, jwk }
}

function sign(alg: string, kid: string | undefined, key: CryptoKey | Uint8Array): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .setExpirationTime('10m')
    .sign(key)
}

async function ask(edge: Edge, token: string) {
  const response = await fetch(`${edge.url}/api/v1/runtime/flags`, {
    headers: { authorization: `Bearer ${token}`, 'accept-language': 'en' },
  })
  const { code } = await errorOf(response)
  return { status: response.status, code, retryAfter: response.headers.get('retry-after') }
}

describe('tokens signed with a key pair', () => {
  let keyServer: KeyServer
  let edge: Edge
  beforeEach(async () => {
    keyServer = await startKeyServer()
    edge = await startEdge({ auth: { keys: { kind: 'jwks', url: keyServer.url } } })
  })
  afterEach(async () => {
    await edge.close()
    await keyServer.close()
  })

  it('are verified by RS256, PS256, ES256 and EdDSA under either name, the keys fetched once', async () => {
    const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
    const pairs = await Promise.all(algorithms.map((alg) => keyPair(alg, `key-${alg}`)))
    keyServer.keys = pairs.map(({ jwk }) => jwk)
    for (const { privateKey, jwk } of pairs)
      expect(await ask(edge, await sign(jwk.alg, jwk.kid, privateKey))).to.include({ status: 200 })
    expect(keyServer.fetches).to.equal(1)
  })

  it('are refused in another algorithm, though the key would do', async () => {
    const { privateKey, publicKey } = await keyPair('RS512', 'a')
    keyServer.keys = [{ ...(await exportJWK(publicKey)), kid: 'a' }]
    expect(await ask(edge, await sign('RS512', 'a', privateKey))).to.include({ status: 401 })
  })

  it('are refused when the public key served as an HMAC secret', async () => {
    const { publicKey, jwk } = await keyPair('RS256', 'a')
    keyServer.keys = [jwk]
    const spki = Buffer.from(await exportSPKI(publicKey))
    expect(await ask(edge, await sign('HS256', 'a', spki))).to.include({ status: 401 })
    expect(await ask(edge, await sign('HS256', 'a', Buffer.from(JSON.stringify(jwk))))).to.include({
      status: 401,
    })
  })

  it('are refused when the key is not in the set, or another one', async () => {
    const known = await keyPair('ES256', 'a')
    const foreign = await keyPair('ES256', 'a')
    keyServer.keys = [known.jwk]
    expect(await ask(edge, await sign('ES256', 'a', foreign.privateKey))).to.include({ status: 401 })
    expect(await ask(edge, await sign('ES256', 'b', foreign.privateKey))).to.include({ status: 401 })
  })

  it('are verified after a rotation at once, and made-up key ids ask the key server once in five seconds', async () => {
    const before = await keyPair('ES256', 'a')
    const after = await keyPair('ES256', 'b')
    keyServer.keys = [before.jwk]
    expect(await ask(edge, await sign('ES256', 'a', before.privateKey))).to.include({ status: 200 })
    keyServer.keys = [before.jwk, after.jwk]
    expect(await ask(edge, await sign('ES256', 'b', after.privateKey))).to.include({ status: 200 })
    expect(keyServer.fetches).to.equal(2)
    const unknown = { status: 503, code: 'auth_unavailable', retryAfter: '5' }
    for (const kid of ['c', 'd'])
      expect(await ask(edge, await sign('ES256', kid, after.privateKey))).to.deep.equal(unknown)
    expect(await ask(edge, await sign('ES256', 'b', after.privateKey))).to.include({ status: 200 })
    expect(keyServer.fetches).to.equal(2)
  })

  it('may leave the key id out, whatever number of keys there is', async () => {
    const one = await keyPair('ES256', undefined)
    const two = await keyPair('ES256', undefined)
    const foreign = await keyPair('ES256', undefined)
    keyServer.keys = [one.jwk, two.jwk]
    expect(await ask(edge, await sign('ES256', undefined, two.privateKey))).to.include({ status: 200 })
    expect(await ask(edge, await sign('ES256', undefined, foreign.privateKey))).to.include({ status: 401 })
  })

  it('are neither good nor bad while the keys cannot be had', async () => {
    const { privateKey, jwk } = await keyPair('ES256', 'a')
    keyServer.keys = [jwk]
    const token = await sign('ES256', 'a', privateKey)
    for (const mode of ['error', 'garbage'] as const) {
      keyServer.mode = mode
      expect(await ask(edge, token), mode).to.deep.equal({
        status: 503,
        code: 'auth_unavailable',
        retryAfter: '5',
      })
    }
    keyServer.mode = 'up'
    expect(await ask(edge, token)).to.include({ status: 200 })
  })

  it('wait at most two seconds for a silent key server', async () => {
    const { privateKey } = await keyPair('ES256', 'a')
    keyServer.mode = 'silent'
    const startedAt = performance.now()
    expect(await ask(edge, await sign('ES256', 'a', privateKey))).to.include({ status: 503 })
    // jose alone would wait for 5 s.
    expect(performance.now() - startedAt).to.be.within(1_900, 4_900)
  })

  it('go on being verified by known keys when the key server dies', async () => {
    const { privateKey, jwk } = await keyPair('ES256', 'a')
    keyServer.keys = [jwk]
    expect(await ask(edge, await sign('ES256', 'a', privateKey))).to.include({ status: 200 })
    keyServer.mode = 'error'
    const other = await new SignJWT({ ...claims, sub: 'user-2' })
      .setProtectedHeader({ alg: 'ES256', kid: 'a' })
      .setExpirationTime('10m')
      .sign(privateKey)
    expect(await ask(edge, other)).to.include({ status: 200 })
  })
})
