import { expect } from 'chai'
import { withoutLogin } from '../../../src/core/net/login-of-url.js'

describe('the login of a URL', () => {
  const sent = (login: string) => `Basic ${Buffer.from(login).toString('base64')}`
  const cases: readonly [address: string, url: string, authorization: string | null][] = [
    ['http://host.test:9/a?b=c', 'http://host.test:9/a?b=c', 'Bearer key'],
    ['http://me:pa%40ss@host.test:9/a?b=c', 'http://host.test:9/a?b=c', sent('me:pa@ss')],
    ['https://me@host.test/', 'https://host.test/', sent('me:')],
    ['https://:p%ss@[::1]/', 'https://[::1]/', sent(':p%ss')],
  ]
  for (const [address, url, authorization] of cases)
    it(`goes from ${address} to a header`, () => {
      const parts = withoutLogin(address, { Authorization: 'Bearer key', Accept: 'text/plain' })
      expect(parts.url).to.equal(url)
      expect(Object.fromEntries(parts.headers)).to.deep.equal({ authorization, accept: 'text/plain' })
    })
})
