import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { bearer, EDGE_SECRET, type Edge, startEdge } from '../../support/edge.js'

const exp = Math.floor(Date.now() / 1000) + 600
const CLAIMS = JSON.stringify({ sub: 'user-1', org_id: 'org-1', role: 'admin', exp })

/** A token of raw JSON texts, as no library would make it; its signature is right for the secret. */
function signedByHand(header: string, claims = CLAIMS, secret: string | Buffer = EDGE_SECRET): string {
  const input = [header, claims].map((part) => Buffer.from(part).toString('base64url')).join('.')
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

const ask = async (edge: Edge, token: string) => {
  const response = await fetch(`${edge.url}/api/v1/runtime/flags`, {
    headers: { authorization: `Bearer ${token}` },
  })
  await response.text()
  return response.status
}

describe('tricks with tokens', () => {
  describe('of the shared secret', () => {
    let edge: Edge
    before(async () => {
      edge = await startEdge()
    })
    after(() => edge.close())

    it('are refused: no algorithm, another one, an unencoded payload, an extension, a key of their own', async () => {
      expect(await ask(edge, signedByHand('{"alg":"HS256"}'))).to.equal(200)
      // Not marked as critical it is a field like any other: the payload is read encoded, as always.
      expect(await ask(edge, signedByHand('{"alg":"HS256","b64":false}'))).to.equal(200)
      const jwk = { kty: 'oct', k: Buffer.from('my own secret, my own secret, mine').toString('base64url') }
      for (const header of [
        '{"alg":"none"}',
        '{"alg":"None"}',
        '{"alg":"nOnE"}',
        '{"alg":""}',
        '{"alg":null}',
        '{"alg":["HS256"]}',
        '{}',
        '{"alg":"hs256"}',
        '{"alg":"HS384"}',
        '{"alg":"RS256"}',
        '{"alg":"dir","enc":"A256GCM"}',
        '{"alg":"HS256","b64":false,"crit":["b64"]}',
        '{"alg":"HS256","crit":["exp"]}',
        '{"alg":"HS256","crit":[]}',
        '{"alg":"HS256","crit":"none"}',
      ])
        expect(await ask(edge, signedByHand(header)), header).to.equal(401)
      const own = signedByHand(JSON.stringify({ alg: 'HS256', jwk }), CLAIMS, Buffer.from(jwk.k, 'base64url'))
      expect(await ask(edge, own)).to.equal(401)
    })

    it('do nothing: a key id is never a path, a query or an address', async () => {
      for (const kid of [
        '../../../../dev/null',
        '/dev/null',
        "' OR 1=1 --",
        'http://evil.example/key',
        '\u0000',
      ])
        for (const secret of ['', '\u0000', kid])
          expect(
            await ask(edge, signedByHand(JSON.stringify({ alg: 'HS256', kid }), CLAIMS, secret)),
            kid,
          ).to.equal(401)
    })

    it('are refused: torn, doubled and stretched tokens', async () => {
      const good = signedByHand('{"alg":"HS256"}')
      const [head, payload, signature] = good.split('.')
      for (const token of [
        `${head}.${payload}`,
        `${head}.${payload}.`,
        `${good}.${signature}`,
        `${head}..${signature}`,
        `${head}.${payload}.${signature}AA`,
        good.slice(0, -2),
        signedByHand('null'),
        signedByHand('[]'),
        signedByHand('{"alg":"HS256"}', 'null'),
        signedByHand('{"alg":"HS256"}', '[]'),
        signedByHand('{"alg":"HS256"}', '{'),
        signedByHand('{"alg":"HS256"}', CLAIMS.replace('"role":"admin"', '"__proto__":{"role":"admin"}')),
      ])
        expect(await ask(edge, token), token).to.equal(401)
    })

    it('mean the last of two claims of one name, which only the issuer can sign', async () => {
      const twice = (first: string, second: string) =>
        CLAIMS.replace('"role":"admin"', `"role":"${first}","role":"${second}"`)
      expect(await ask(edge, signedByHand('{"alg":"HS256"}', twice('owner', 'member')))).to.equal(403)
      expect(await ask(edge, signedByHand('{"alg":"HS256"}', twice('member', 'admin')))).to.equal(200)
    })

    it('are refused at the head of the request where they are huge', async () => {
      const huge = signedByHand('{"alg":"HS256"}', CLAIMS.replace('}', `,"x":"${'y'.repeat(20_000)}"}`))
      expect(await ask(edge, huge)).to.equal(431)
      expect(await ask(edge, (await bearer({ role: 'admin' })).replace('Bearer ', ''))).to.equal(200)
    })
  })

  describe('of a key server', () => {
    it('bring no keys: those in a token, or at an address it names, are not looked at', async () => {
      const asked: string[] = []
      const known = await generateKeyPair('ES256', { extractable: true })
      const own = await generateKeyPair('ES256', { extractable: true })
      const server = createServer((request, response) => {
        asked.push(request.url ?? '')
        void exportJWK(request.url === '/keys' ? known.publicKey : own.publicKey).then((jwk) =>
          response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'a', alg: 'ES256' }] })),
        )
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const edge = await startEdge({ auth: { keys: { kind: 'jwks', url: new URL(`${origin}/keys`) } } })
      const signed = (key: typeof own.privateKey, header: object) =>
        new SignJWT(JSON.parse(CLAIMS)).setProtectedHeader({ alg: 'ES256', kid: 'a', ...header }).sign(key)
      const jwk = await exportJWK(own.publicKey)
      expect(await ask(edge, await signed(known.privateKey, {}))).to.equal(200)
      for (const header of [{ jwk }, { jku: `${origin}/evil` }, { x5u: `${origin}/evil` }, { x5c: ['MIIB'] }])
        expect(await ask(edge, await signed(own.privateKey, header)), Object.keys(header)[0]).to.equal(401)
      expect(asked).to.deep.equal(['/keys'])
      await edge.close()
      server.close()
      server.closeAllConnections()
    })

    it('lead to no other server: a key server that redirects is one whose keys cannot be had', async () => {
      const asked: string[] = []
      const server = createServer((request, response) => {
        asked.push(request.url ?? '')
        response.writeHead(request.url === '/keys' ? 302 : 200, { location: '/elsewhere' })
        response.end('{"keys":[]}')
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`)
      const edge = await startEdge({ auth: { keys: { kind: 'jwks', url } } })
      const { privateKey } = await generateKeyPair('ES256')
      const token = await new SignJWT(JSON.parse(CLAIMS))
        .setProtectedHeader({ alg: 'ES256', kid: 'a' })
        .sign(privateKey)
      expect(await ask(edge, token)).to.equal(503)
      expect(asked).not.to.include('/elsewhere')
      await edge.close()
      server.close()
      server.closeAllConnections()
    })

    it('fill no memory: an answer without an end is given up after a mebibyte', async () => {
      let sent = 0
      const server = createServer((_request, response) => {
        const piece = Buffer.alloc(65_536, ' ')
        const more = (): void => {
          while (!response.destroyed && sent < 64 * 1024 * 1024) {
            sent += piece.length
            if (!response.write(piece)) return
          }
        }
        response.on('drain', more)
        more()
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`)
      const edge = await startEdge({ auth: { keys: { kind: 'jwks', url } } })
      const { privateKey } = await generateKeyPair('ES256')
      const token = await new SignJWT(JSON.parse(CLAIMS))
        .setProtectedHeader({ alg: 'ES256', kid: 'a' })
        .sign(privateKey)
      expect(await ask(edge, token)).to.equal(503)
      // What the system's buffers hold beside it.
      expect(sent).to.be.lessThan(32 * 1024 * 1024)
      await edge.close()
      server.close()
      server.closeAllConnections()
    })
  })
})
