import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { silentLogger } from '../../../src/core/logger.js'
import { type KeptTexts, openKeptTexts } from '../../../src/core/sqlite/kept-texts.js'
import { createSigningKeys, KeysUnavailable, type SigningKeys } from '../../../src/http/auth/token-keys.js'
import { manualClock } from '../../support/manual-clock.js'
import { rejection } from '../../support/rejection.js'
import { settled } from '../../support/turn-runner.js'
import { until } from '../../support/until.js'

const DAY_MS = 86_400_000

describe('signing keys, kept for the next start', () => {
  let server: Server
  let url: URL
  let answer: { status: number; keys: JWK[] }
  let logins: (string | undefined)[]
  let pair: { privateKey: CryptoKey; jwk: JWK }
  let kept: KeptTexts
  const clock = manualClock(Date.now())
  const open: SigningKeys[] = []

  before(async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    pair = { privateKey, jwk: { ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'a' } }
  })
  beforeEach(async () => {
    answer = { status: 200, keys: [pair.jwk] }
    logins = []
    server = createServer((request, res) => {
      logins.push(request.headers.authorization)
      res.statusCode = answer.status
      res.end(JSON.stringify({ keys: answer.keys }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys?client=secret`)
    kept = openKeptTexts(':memory:', { clock, logger: silentLogger })
  })
  afterEach(async () => {
    for (const keys of open.splice(0)) keys.close()
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })

  function start(at = url): SigningKeys {
    const keys = createSigningKeys({ kind: 'jwks', url: at }, { clock, logger: silentLogger, kept })
    open.push(keys)
    keys.start()
    return keys
  }

  const token = (kid = 'a'): Promise<string> =>
    new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid }).setExpirationTime('10m').sign(pair.privateKey)

  async function goodStart(): Promise<void> {
    const keys = start()
    await until('the keys', () => keys.origin() === 'source')
    await keys.verify(await token(), {})
    keys.close()
  }

  it('are fetched at the start, without a token, and again until they are there', async () => {
    answer.status = 500
    const keys = start()
    await until('the first failure', () => clock.pending() === 1)
    expect(keys.origin()).to.equal('nothing')
    answer.status = 200
    clock.advance(1000)
    await until('the keys', () => keys.origin() === 'source')
    expect(clock.pending()).to.equal(0)
  })

  it('are asked for with the user and the password of the address', async () => {
    url.username = 'me'
    url.password = 'hunter2'
    const keys = start()
    await until('the keys', () => keys.origin() === 'source')
    expect(logins).to.deep.equal([`Basic ${Buffer.from('me:hunter2').toString('base64')}`])
  })

  it('are told as unreachable from a failed fetch to the next good one: at a start, and a minute after a failed refresh', async () => {
    answer.status = 500
    const keys = start()
    await until('the first failure', () => keys.isUnreachable())
    answer.status = 200
    clock.advance(1000)
    await until('the keys', () => keys.origin() === 'source')
    expect(keys.isUnreachable()).to.equal(false)
    answer.status = 500
    clock.advance(600_000)
    await keys.verify(await token(), {})
    await until('the failed refresh', () => keys.isUnreachable())
    answer.status = 200
    clock.advance(59_999)
    await keys.verify(await token(), {})
    await settled()
    expect(keys.isUnreachable()).to.equal(true)
    clock.advance(1)
    await keys.verify(await token(), {})
    await until('the refresh', () => !keys.isUnreachable())
  })

  it('of the last run verify where the key server is away, until it answers', async () => {
    await goodStart()
    answer.status = 500
    const keys = start()
    await until('the kept keys', () => keys.origin() === 'kept')
    await keys.verify(await token(), {})
    answer = { status: 200, keys: [] }
    await until('a failed fetch', () => clock.pending() === 1)
    clock.advance(1000)
    await until('the key server', () => keys.origin() === 'source')
    expect((await rejection(keys.verify(await token(), {}))).name, 'taken back').to.not.equal('')
  })

  it('of the last run call no token bad whose key is newer than they are', async () => {
    await goodStart()
    answer.status = 500
    const keys = start()
    await until('the kept keys', () => keys.origin() === 'kept')
    expect(await rejection(keys.verify(await token('rotated'), {}))).to.be.instanceOf(KeysUnavailable)
  })

  it('are not trusted after a day, nor for another address', async () => {
    await goodStart()
    answer.status = 500
    const other = start(new URL('/others', url))
    await until('a failed fetch', () => clock.pending() === 1)
    expect(other.origin()).to.equal('nothing')
    other.close()
    clock.advance(DAY_MS)
    const late = start()
    await until('a failed fetch', () => clock.pending() === 1)
    expect(late.origin()).to.equal('nothing')
    expect(await rejection(late.verify(await token(), {}))).to.be.instanceOf(KeysUnavailable)
  })

  it('are public ones alone, and the address is not kept', async () => {
    const seen: string[] = []
    const inner = kept
    kept = { ...inner, keep: (name, text) => void seen.push(`${name} ${text}`) }
    answer.keys = [
      { ...pair.jwk, d: 'private' },
      { kty: 'oct', k: 'shared' },
    ]
    const keys = start()
    await until('the keys', () => keys.origin() === 'source')
    await until('what is kept', () => seen.length === 1)
    expect(seen.join())
      .to.include(pair.jwk.x)
      .and.to.not.match(/private|shared|secret/)
  })
})
