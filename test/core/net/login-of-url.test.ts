import { expect } from 'chai'
import { shownAddress, withoutLogin } from '../../../src/core/net/login-of-url.js'

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

  for (const [address, text] of [
    ['http://host.test:9/a', 'http://host.test:9/a'],
    ['http://me:pass@host.test/a?key=pass', 'http://…@host.test/a?…'],
    ['http://me:pa/ss@host.test/health', 'http://…@host.test/health'],
    ['http://me:pa@ss?x@host.test', 'http://…@host.test'],
    ['me:pass@host.test', '…@host.test'],
  ] as const)
    it(`is not shown: ${text}`, () => {
      expect(shownAddress(address)).to.equal(text)
    })
})
