import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import { systemClock } from '../../src/core/clock.js'
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.js'
import { fallbackStatusSchema } from '../../src/protocol/fallback.js'
import { dataOf } from '../support/answers.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { sampleExecution } from '../support/comparisons.js'
import { type ConsoleRig, seriousFindings, startConsole } from '../support/console-page.js'
import { until } from '../support/until.js'

/** What the overview tells of the parts behind the service, and what an admin of one org sees of it. */
describe('the overview of the console', function () {
  this.timeout(60_000)
  let rig: ConsoleRig
  let page: Page

  before(async function () {
    rig = await startConsole(this, {
      CHAT_OPERATOR_ROLE: 'owner',
      CHAT_REPLICA: 'replica-of-a-test',
      CHAT_RUNTIME_ENABLED_ORGS: 'acme',
    })
  })
  after(async () => rig?.close())
  afterEach(async () => {
    await rig?.leave()
    rig?.expectNoFaults()
  })

  it('shows an owner the endpoints, the replicas, and the section of the runbook for an alert', async () => {
    page = await rig.open('')
    await page.waitForSelector('.facts >> text=requests under way')
    const facts = await page.innerText('.facts')
    expect(facts).to.match(/working\s+default/)
    expect(await page.innerText('.replicas')).to.match(/replica-of-a-test\s+this page\s+ready\s+\d/)
    rmSync(rig.flags.overrideFile)
    mkdirSync(rig.flags.overrideFile)
    try {
      await page.waitForSelector('.alerts li')
      expect(await seriousFindings(page)).to.deep.equal([])
      const link = page.locator('.alerts a').first()
      const section = /runbook, (not_persisted|store_unreadable)$/.exec(await link.innerText())?.[1]
      const [runbook] = await Promise.all([page.context().waitForEvent('page'), link.click()])
      await runbook.waitForSelector(`h3:target >> text=${section}`)
      expect(await seriousFindings(runbook)).to.deep.equal([])
      await runbook.setViewportSize({ width: 360, height: 740 })
      expect(await runbook.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360)
    } finally {
      rmSync(rig.flags.overrideFile, { recursive: true })
    }
  })

  it('says that the last good flags are in force while the file has a fault, in both languages', async () => {
    page = await rig.open('')
    await page.waitForSelector('.now >> text=acme is on the runtime')
    const good = rig.flags.read()
    const says = (text: string) =>
      until(text, async () => {
        await page.reload()
        await page.waitForSelector('.now')
        return (await page.innerText('.now')).includes(text)
      })
    rig.flags.write(good.replace('"state": "ENABLED"', '"state": "ON"'))
    try {
      await says('The last good flags are in force')
      await page.click('text=中文')
      await page.waitForSelector('.now >> text=最近一次有效的 flag 仍在生效')
      await page.click('text=English')
    } finally {
      rig.flags.write(good)
    }
    await says('acme is on the runtime')
  })

  it('begins its charts with what the journal kept of the last hour', async () => {
    const path = join(rig.flags.folder, 'chat.db')
    const journal = openSqliteJournal(path, { clock: systemClock, logger: capturingLogger().logger })
    for (const minutes of [40, 20])
      journal.keepExecution(
        sampleExecution({ at: Date.now() - minutes * 60_000, orgId: 'acme', result: 'error' }),
      )
    await journal.close()
    for (const role of ['owner', 'admin'] as const) {
      page = await rig.open('', role)
      const errors = page.locator('.chart').nth(1)
      await errors.locator('.plot canvas').waitFor()
      await errors.locator('button').click()
      const view = page
      await until(
        `the kept figures of the ${role}`,
        async () => (await view.locator('.chart').nth(1).innerText()).match(/100%/g)?.length === 10,
      )
      expect(await seriousFindings(page)).to.deep.equal([])
    }
  })

  it('tells of a guarded rollout in a line that leads to its form', async () => {
    page = await rig.open('')
    await page.waitForSelector('.now')
    expect(await page.locator('.rollout').count()).to.equal(0)
    const start = { stages: [5, 50], everyMinutes: 10 }
    // A busy machine may not write it within the time a command waits: 503, try again.
    await until('the start', async () => (await rig.call('POST', '/runtime/rollout', start)).status === 200)
    try {
      await page.waitForSelector('.rollout >> text=5%')
      expect(await page.innerText('.now > p:first-child')).to.match(/5% of all (other )?sessions/)
      await page.click('.rollout a')
      await page.waitForSelector('[aria-labelledby=guarded] .badge >> text=running')
    } finally {
      expect((await rig.call('POST', '/runtime/rollout/abort')).status).to.equal(200)
    }
    await page.click('nav >> text=Overview')
    await page.waitForSelector('.now')
    await page.waitForSelector('.rollout', { state: 'detached' })
  })

  it('shows an admin the own org where several share the service, and asks for nothing that is refused', async () => {
    page = await rig.open('', 'admin')
    await page.waitForSelector('.now >> text=A new session of acme is answered by')
    expect(await page.innerText('.banner')).to.include('You see the organisation acme')
    expect(await page.innerText('nav')).to.match(/^Overview\s+Fallback\s+Explain\s+Try it$/)
    await page.waitForSelector('.charts')
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.click('nav >> text=Explain')
    await page.click('form >> button[type=submit]')
    await page.waitForSelector('.answer')
  })

  it('lets that admin trigger a fallback for the own org alone, and says who ends it', async () => {
    page = await rig.open('/fallback', 'admin')
    await page.waitForSelector('.held >> text=no fallback for acme')
    expect(await page.locator('textarea[name=orgs]').count()).to.equal(0)
    expect(await page.locator('select[name=ttl]').innerText()).not.to.include('never')
    expect(await page.innerText('section[aria-labelledby=manual]')).to.include('You cannot reset it')
    await page.fill('input[name=reason]', 'our own release')
    await page.click('text=Start a manual fallback…')
    expect(await page.innerText('dialog[open]')).to.include('acme: every new turn goes to the direct LLM')
    await page.click('dialog >> button.danger')
    await page.waitForSelector('.notice >> text=The fallback of acme has started, until')
    await page.waitForSelector('.held >> text=sessions of acme are on the direct LLM')
    expect(await seriousFindings(page)).to.deep.equal([])
    const { manual } = fallbackStatusSchema.parse(
      await dataOf(await rig.call('GET', '/runtime/fallback/status')),
    )
    expect(manual).to.deep.include({ scope: 'orgs', orgIds: ['acme'], reason: 'our own release' })
    expect((await rig.call('POST', '/runtime/fallback/reset')).status).to.equal(200)
  })
})
