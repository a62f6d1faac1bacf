import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import { SignJWT, UnsecuredJWT } from 'jose'
import { errorOf } from '../../support/answers.js'
import { bearer, EDGE_SECRET, type Edge, startEdge } from '../../support/edge.js'

const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow
const usual = { sub: 'user-1', org_id: 'org-1', role: 'admin', exp: seconds(600) }

function sign(header: object, claims: object, secret = EDGE_SECRET): Promise<string> {
  const token = new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256', ...header })
  return token.sign(Buffer.from(secret))
}

/** A header that jose itself would refuse to sign. */
function signByHand(header: object, claims: object): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  const input = `${encode({ alg: 'HS256', ...header })}.${encode(claims)}`
  return `${input}.${createHmac('sha256', EDGE_SECRET).update(input).digest('base64url')}`
}

async function ask(edge: Edge, authorization: string | undefined, headers: Record<string, string> = {}) {
  const response = await fetch(`${edge.url}/api/v1/runtime/flags`, {
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      'accept-language': 'en',
      ...headers,
    },
  })
  const { code, message = '' } = await errorOf(response)
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    message,
    code,
  }
}

describe('tokens signed with the shared secret', () => {
  let edge: Edge
  before(async () => {
    edge = await startEdge({ auth: { issuer: 'https://issuer.example', audience: 'chat' } })
  })
  after(() => edge.close())

  const good = { ...usual, iss: 'https://issuer.example', aud: 'chat' }

  it('lets a good token in, whatever its usual type', async () => {
    for (const header of [
      {},
      { typ: 'JWT' },
      { typ: 'at+jwt' },
      { typ: 'application/at+jwt' },
      { typ: 'jwt' },
    ])
      expect(await ask(edge, `Bearer ${await sign(header, good)}`)).to.include({ status: 200 })
  })

  it('takes the scheme in any case', async () => {
    expect(await ask(edge, `bearer ${await sign({}, good)}`)).to.include({ status: 200 })
  })

  it('asks for a token where there is none', async () => {
    for (const header of [undefined, 'Basic dXNlcjpwYXNz', 'Bearer', 'Bearer a b', 'Bearer a"b']) {
      const { status, challenge, message } = await ask(edge, header)
      expect(status).to.equal(401)
      expect(challenge).to.equal('Bearer realm="chat"')
      expect(message).to.include('Authorization: Bearer')
    }
  })

  it('refuses every forged or unsuitable token, and says which kind of wrong it is', async () => {
    const [head, payload, signature] = (await sign({}, good)).split('.')
    const widened = Buffer.from(JSON.stringify({ ...good, role: 'owner' })).toString('base64url')
    const cases: [why: string, token: string, message: string][] = [
      ['no signature', new UnsecuredJWT(good).encode(), 'not valid'],
      [
        'alg none, signature kept',
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.${signature}`,
        'not valid',
      ],
      ['another secret', await sign({}, good, 'another-secret-another-secret-another'), 'not valid'],
      ['another algorithm', await sign({ alg: 'HS512' }, good, EDGE_SECRET.repeat(2)), 'not valid'],
      ['claims changed', `${head}.${widened}.${signature}`, 'not valid'],
      ['garbage', 'aaaa.bbbb.cccc', 'not valid'],
      ['a foreign type', await sign({ typ: 'refresh+jwt' }, good), 'not valid'],
      ['a critical extension', signByHand({ crit: ['exotic'], exotic: 1 }, good), 'not valid'],
      ['expired', await sign({}, { ...good, exp: seconds(-10) }), 'expired'],
      ['not valid yet', await sign({}, { ...good, nbf: seconds(60) }), 'not valid yet'],
      ['no expiry', await sign({}, { ...good, exp: undefined }), 'claim'],
      ['an expiry that is no number', await sign({}, { ...good, exp: 'tomorrow' }), 'claim'],
      ['another issuer', await sign({}, { ...good, iss: 'https://evil.example' }), 'claim'],
      ['no issuer', await sign({}, { ...good, iss: undefined }), 'claim'],
      ['another audience', await sign({}, { ...good, aud: ['billing'] }), 'claim'],
      ['no user', await sign({}, { ...good, sub: undefined }), 'claim'],
      ['an empty user', await sign({}, { ...good, sub: '' }), 'claim'],
      ['no org', await sign({}, { ...good, org_id: undefined }), 'claim'],
      ['an org that is no string', await sign({}, { ...good, org_id: { $gt: '' } }), 'claim'],
      ['an unknown role', await sign({}, { ...good, role: 'root' }), 'claim'],
    ]
    for (const [why, token, message] of cases) {
      const seen = await ask(edge, `Bearer ${token}`)
      expect(seen, why).to.include({ status: 401, code: 'unauthorized' })
      expect(seen.message, why).to.include(message)
      expect(seen.challenge, why).to.match(
        /^Bearer realm="chat", error="invalid_token", error_description="[ -~]+"$/,
      )
    }
  })

  it('forgives five seconds between the clocks', async () => {
    expect(await ask(edge, `Bearer ${await sign({}, { ...good, exp: seconds(-2) })}`)).to.include({
      status: 200,
    })
    expect(await ask(edge, `Bearer ${await sign({}, { ...good, nbf: seconds(3) })}`)).to.include({
      status: 200,
    })
  })

  it('refuses a role that is too low, in the language of the caller', async () => {
    const member = `Bearer ${await sign({}, { ...good, role: 'member' })}`
    const seen = await ask(edge, member)
    expect(seen).to.include({ status: 403, code: 'forbidden' })
    expect(seen.challenge).to.include('insufficient_scope')
    expect((await ask(edge, member, { 'accept-language': 'zh' })).message).to.include('权限不足')
  })
})

describe('a token that was verified before', () => {
  it('is refused once it has expired', async () => {
    let offset = 0
    const edge = await startEdge({
      clock: {
        monotonic: () => performance.now(),
        wall: () => Date.now() + offset,
        schedule: (ms, callback) => {
          const timer = setTimeout(callback, ms)
          return { cancel: () => clearTimeout(timer) }
        },
      },
    })
    const authorization = await bearer({ role: 'admin', exp: seconds(60) })
    expect(await ask(edge, authorization)).to.include({ status: 200 })
    offset = 58_000
    expect(await ask(edge, authorization)).to.include({ status: 200 })
    offset = 66_000
    expect((await ask(edge, authorization)).message).to.include('expired')
    await edge.close()
  })
})

describe('the operator role', () => {
  it('is admin by default and owner where several tenants share the deployment', async () => {
    const edge = await startEdge({ auth: { operatorRole: 'owner' } })
    expect(await ask(edge, await bearer({ role: 'admin' }))).to.include({ status: 403 })
    expect(await ask(edge, await bearer({ role: 'owner' }))).to.include({ status: 200 })
    await edge.close()
  })
})
