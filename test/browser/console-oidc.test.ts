import { expect } from 'chai'
import type { Page } from 'playwright-core'
import { type ConsoleRig, seriousFindings, startConsole } from '../support/console-page.js'
import { type OidcIssuer, startOidcIssuer } from '../support/oidc-issuer.js'

const CLIENT = 'console-of-a-test'
const OWNER = { sub: 'operator-7', org_id: 'acme', role: 'owner' }

/** A service whose users come from this issuer, those of its console too. */
const environmentOf = ({ url }: OidcIssuer) => ({
  JWT_SECRET: '',
  JWKS_URL: `${url}/jwks`,
  JWT_ISSUER: url,
  CHAT_CONSOLE_OIDC_ISSUER: url,
  CHAT_CONSOLE_OIDC_CLIENT_ID: CLIENT,
})

/** Sign-in at the pages of an organisation, by a stand-in for its issuer. */
describe('the sign-in of the console by OpenID Connect', function () {
  this.timeout(60_000)
  let issuer: OidcIssuer
  let rig: ConsoleRig
  let page: Page

  before(async function () {
    issuer = await startOidcIssuer(CLIENT)
    rig = await startConsole(this, environmentOf(issuer))
  })
  after(async () => {
    await rig?.close()
    await issuer.close()
  })
  beforeEach(() => {
    Object.assign(issuer.script, {
      claims: OWNER,
      opaque: false,
      denies: false,
      noTokenCors: false,
      wrongNonce: false,
    })
    delete issuer.script.tokenOrigin
    issuer.asked.length = 0
  })
  afterEach(async () => {
    await rig?.leave()
    const faults = rig?.faults().filter((fault) => !fault.startsWith(`asked ${issuer.url}`))
    expect(faults).to.deep.equal([])
  })

  const signIn = async (path = ''): Promise<void> => {
    page = await rig.open(path, 'nobody')
    await page.click('text=Sign in with')
  }

  it('allows the page to ask the issuer, and nobody else', async () => {
    const { headers } = await fetch(`${rig.url}/console`)
    expect(headers.get('content-security-policy')).to.include(`connect-src 'self' ${issuer.url};`)
    expect((await fetch(`${rig.url}/docs`)).headers.get('content-security-policy')).not.to.include(issuer.url)
  })

  it('comes back to the view that was wanted, with a token that the service takes', async () => {
    await signIn('/fallback?from=a-link')
    await page.waitForSelector('.connection[data-state=live]')
    expect(page.url()).to.equal(`${rig.url}/console/fallback?from=a-link`)
    expect(await page.innerText('.reader')).to.include('operator-7')
    const [asked] = issuer.asked
    expect(asked?.get('redirect_uri')).to.equal(`${rig.url}/console/callback`)
    expect(asked?.get('code_challenge_method')).to.equal('S256')
    expect(asked?.get('scope')).to.equal('openid')
    // The token alone is left: no verifier, no state.
    expect(await page.evaluate('Object.keys(sessionStorage)')).to.deep.equal(['chat-cutover.token'])
    expect(await page.evaluate('JSON.stringify(localStorage)')).to.equal('{}')
    await page.reload()
    await page.waitForSelector('.connection[data-state=live]')
  })

  it('takes the ID token where the access token is for the issuer alone', async () => {
    issuer.script.opaque = true
    await signIn()
    await page.waitForSelector('.connection[data-state=live]')
  })

  it('says in plain words what went wrong, and keeps nothing of it', async () => {
    const wrong: readonly (readonly [() => void, string])[] = [
      [() => (issuer.script.denies = true), 'refused the sign-in: the reader said no'],
      [() => (issuer.script.wrongNonce = true), 'cannot be used'],
      [() => (issuer.script.claims = { org_id: 'acme' }), 'this service cannot use its token'],
      [() => (issuer.script.tokenOrigin = 'https://elsewhere.test'), 'at another address, https://elsewhere'],
    ]
    for (const [script, words] of wrong) {
      Object.assign(issuer.script, { claims: OWNER, denies: false, wrongNonce: false })
      script()
      await signIn()
      await page.waitForSelector('[role=alert]')
      expect(await page.innerText('[role=alert]')).to.include(words)
      expect(await page.evaluate('sessionStorage.length')).to.equal(0)
      expect(await seriousFindings(page)).to.deep.equal([])
      await page.click('text=中文')
      expect(await page.innerText('[role=alert]')).to.match(/[\u4e00-\u9fff]{3}/)
    }
  })

  it('says that the issuer must allow the origin of the page, where its token address does not', async () => {
    issuer.script.noTokenCors = true
    await signIn()
    await page.waitForSelector('[role=alert]')
    expect(await page.innerText('[role=alert]')).to.include(`must allow the origin ${rig.url}`)
    expect(await page.evaluate('sessionStorage.length')).to.equal(0)
    // The browser's own words for it.
    expect(rig.faults().join(' ')).to.include('blocked by CORS policy')
  })

  it('can be started again by who comes back from the issuer by the browser’s button', async () => {
    page = await rig.open('', 'nobody')
    // With 204 the page stays; a browser that kept it on the way to the issuer would show it again like this.
    await page.route(`${issuer.url}/authorize*`, (route) => route.fulfill({ status: 204 }))
    const answered = page.waitForResponse((response) => response.status() === 204)
    await page.click('text=Sign in with')
    await answered
    await page.waitForSelector('button:disabled')
    await page.evaluate(`dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`)
    await page.waitForSelector('button.primary:enabled')
    await page.unroute(`${issuer.url}/authorize*`)
    await page.click('text=Sign in with')
    await page.waitForSelector('.connection[data-state=live]')
  })

  it('takes no answer to a sign-in that this tab has not started', async () => {
    page = await rig.open('/callback?code=stolen&state=of-somebody-else', 'nobody')
    await page.waitForSelector('[role=alert]')
    expect(await page.innerText('[role=alert]')).to.include('not started in this tab')
    expect(page.url()).to.equal(`${rig.url}/console`)
    expect(issuer.asked).to.deep.equal([])
  })

  it('takes no answer to another sign-in than the last one of the tab', async () => {
    page = await rig.open('', 'nobody')
    const begun = JSON.stringify({ state: 'mine', nonce: 'n', verifier: 'v', from: '/console' })
    await page.evaluate(`sessionStorage.setItem('chat-cutover.oidc', ${JSON.stringify(begun)})`)
    await page.goto(`${rig.url}/console/callback?code=stolen&state=of-somebody-else`)
    await page.waitForSelector('[role=alert]')
    expect(await page.innerText('[role=alert]')).to.include('not started in this tab')
    expect(await page.evaluate('sessionStorage.length')).to.equal(0)
  })
})

/** Where the tokens of users have an audience of their own, which an ID token never has. */
describe('the sign-in of the console for a resource', function () {
  this.timeout(60_000)
  const RESOURCE = 'https://chat.example/api'
  let issuer: OidcIssuer
  let rig: ConsoleRig

  before(async function () {
    issuer = await startOidcIssuer(CLIENT)
    rig = await startConsole(this, {
      ...environmentOf(issuer),
      JWT_AUDIENCE: RESOURCE,
      CHAT_CONSOLE_OIDC_RESOURCE: RESOURCE,
    })
  })
  after(async () => {
    await rig?.close()
    await issuer.close()
  })

  it('asks for it, and takes the access token that is for it', async () => {
    Object.assign(issuer.script, { claims: OWNER, opaque: true })
    const page = await rig.open('', 'nobody')
    await page.click('text=Sign in with')
    await page.waitForSelector('.connection[data-state=live]')
    expect(issuer.asked[0]?.get('resource')).to.equal(RESOURCE)
    const payload = await page.evaluate(`sessionStorage.getItem('chat-cutover.token').split('.')[1]`)
    expect(JSON.parse(Buffer.from(String(payload), 'base64url').toString())).to.include({ aud: RESOURCE })
  })
})
