import { expect } from 'chai'
import { type ConsoleRig, seriousFindings, startConsole, tokenOf } from '../support/console-page.js'

/** Who may look, in which language, on which screen, and what is true now. */
describe('the console in a browser', function () {
  this.timeout(60_000)
  let rig: ConsoleRig

  before(async function () {
    rig = await startConsole(this)
  })
  after(async () => rig?.close())
  afterEach(async () => {
    await rig?.leave()
    rig?.expectNoFaults()
  })

  it('asks who looks, says what is wrong with a token, and keeps a good one in the tab alone', async () => {
    const page = await rig.open('', 'nobody')
    await page.fill('#token', 'no token')
    await page.click('button[type=submit]')
    expect(await page.innerText('[role=alert]')).to.include('not a token of this service')
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.fill('#token', await tokenOf('admin'))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.now')
    expect(await page.evaluate('[sessionStorage.length, JSON.stringify(localStorage)]')).to.deep.equal([
      1,
      '{}',
    ])
    await page.reload()
    await page.waitForSelector('.now')
    await page.click('text=Sign out')
    await page.waitForSelector('#token')
    expect(await page.evaluate('sessionStorage.length')).to.equal(0)
  })

  it('shows what is true now, live, and takes its token from the address', async () => {
    const page = await rig.open('', 'owner')
    await page.waitForSelector('.connection[data-state=live]')
    expect(page.url()).to.equal(`${rig.url}/console`)
    expect(await page.innerText('.now')).to.include('no fallback')
    const trigger = await rig.call('POST', '/runtime/fallback/trigger', { reason: 'a test' })
    expect(trigger.status).to.equal(200)
    await page.waitForSelector('.now.bad')
    expect(await page.innerText('.now')).to.include('an operator keeps everybody on the direct LLM')
  })

  it('speaks Chinese, fits a small screen, and has no serious finding in either theme', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await rig.open('', 'owner', {
        locale: 'zh-CN',
        colorScheme,
        viewport: { width: 360, height: 740 },
      })
      await page.waitForSelector('.now')
      expect(await page.evaluate('document.documentElement.dataset.theme')).to.equal(colorScheme)
      expect(await page.innerText('nav')).to.include('总览')
      expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360)
      expect(await seriousFindings(page)).to.deep.equal([])
      await page.click('text=English')
      expect(await page.innerText('nav')).to.include('Overview')
    }
  })

  it('says so where the address has a token that cannot be read, and forgets the one before', async () => {
    const page = await rig.open('', 'owner')
    await page.waitForSelector('.now')
    await page.goto('about:blank')
    await page.goto(`${rig.url}/console#token=%E0%A4%A`)
    await page.waitForSelector('.notice >> text=not a token of this service')
    expect(page.url()).to.equal(`${rig.url}/console`)
    expect(await page.evaluate('sessionStorage.length')).to.equal(0)
  })

  it('signs in by a link that is pasted over the address of the open page', async () => {
    const page = await rig.open('', 'owner')
    await page.waitForSelector('.now')
    const token = await page.evaluate<string>("sessionStorage.getItem('chat-cutover.token')")
    await page.goto(`${rig.url}/console#token=nonsense`)
    await page.waitForSelector('.notice >> text=not a token of this service')
    await page.goto(`${rig.url}/console#token=${token}`)
    await page.waitForSelector('.now')
    expect(page.url()).to.equal(`${rig.url}/console`)
  })

  it('tells a member what the role may see', async () => {
    const page = await rig.open('', 'member')
    expect(await page.innerText('.banner')).to.include('signed in as a member')
  })
})
