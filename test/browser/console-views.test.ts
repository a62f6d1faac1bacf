import { join } from 'node:path'
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import { z } from 'zod'
import { systemClock } from '../../src/core/clock.js'
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.js'
import { fallbackStatusSchema, type TransitionView, transitionSchema } from '../../src/protocol/fallback.js'
import { flagsViewSchema } from '../../src/protocol/flag-edit.js'
import { dataOf } from '../support/answers.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { sampleComparison } from '../support/comparisons.js'
import { type ConsoleRig, seriousFindings, startConsole, tokenOf } from '../support/console-page.js'
import { bearer } from '../support/processes.js'
import { until } from '../support/until.js'

/** What Chromium itself logs of a connection that is lost. */
const LOST = /ERR_CONNECTION|Failed to load resource|ERR_INCOMPLETE/

/** What operators do in the console, and what comes of it in the service. */
describe('the views of the console', function () {
  this.timeout(60_000)
  let rig: ConsoleRig
  let page: Page | undefined

  before(async function () {
    rig = await startConsole(this, { CHAT_SHADOW_KEEP_CONTENT: 'true' })
  })
  after(async () => rig?.close())
  afterEach(async () => {
    await rig?.leave()
    page = undefined
    rig?.expectNoFaults()
  })

  it('start a manual fallback only after saying what will happen, and reset it', async () => {
    page = await rig.open('/fallback')
    await page.fill('textarea[name=orgs]', 'acme\nglobex')
    await page.fill('input[name=reason]', 'the new release')
    await page.click('text=Start a manual fallback…')
    const question = await page.innerText('dialog[open]')
    expect(question).to.include('acme and globex: every new turn goes to the direct LLM')
    expect(question).to.include('ends by itself after 15 min')
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.click('dialog >> text=Cancel')
    const untouched = fallbackStatusSchema.parse(
      await dataOf(await rig.call('GET', '/runtime/fallback/status')),
    )
    expect(untouched.manual.scope).to.equal('none')
    await page.click('text=Start a manual fallback…')
    await page.click('dialog >> text=Start the fallback')
    await page.waitForSelector('text=keeps these organisations on the direct LLM: acme and globex')
    await page.waitForSelector('.timeline >> text=Manual fallback')
    await page.click('text=Reset…')
    expect(await page.innerText('dialog[open]')).to.include('Both layers end')
    await page.keyboard.press('Escape')
    await page.waitForSelector('dialog', { state: 'detached' })
    await page.click('text=Reset…')
    await page.click('dialog >> button.danger')
    await page.waitForSelector('text=No manual fallback.')
    const reset = fallbackStatusSchema.parse(await dataOf(await rig.call('GET', '/runtime/fallback/status')))
    expect(reset.manual.scope).to.equal('none')
  })

  it('tell what the service reports live in the language chosen last', async () => {
    await rig.call('POST', '/runtime/fallback/trigger', {})
    page = await rig.open('')
    await page.waitForSelector('.now .why >> text=Fallback by hand')
    await page.click('button[lang=zh-CN]')
    await page.waitForSelector('.now .why >> text=手动回退')
    await page.waitForSelector('.connection[data-state=live]')
    expect(await page.innerText('.now .why')).not.to.include('Fallback by hand')
    await page.click('button[lang=en]')
    await page.waitForSelector('.now .why >> text=Fallback by hand')
    await rig.call('POST', '/runtime/fallback/reset')
  })

  it('edit the flags after showing the change and whom it moves', async () => {
    page = await rig.open('/rollout')
    await page.fill('textarea[name=orgs]', 'acme')
    await page.fill('input[name=canary]', '5')
    await page.click('text=Review the change')
    await page.waitForSelector('dialog .changes')
    expect(await page.innerText('dialog[open]')).to.match(/of the last 24 hours|journal cannot be read/)
    expect(await page.innerText('dialog .changes')).to.include('"acme"')
    await page.click('dialog >> button.primary')
    await page.waitForSelector('text=Saved and in effect.')
    const { ops } = flagsViewSchema.parse(await dataOf(await rig.call('GET', '/runtime/flags')))
    expect(ops.values?.mode).to.deep.include({ enabledOrgs: ['acme'], canaryPercent: 5 })
    await page.waitForSelector('.timeline >> text=+acme')
    expect(await seriousFindings(page)).to.deep.equal([])
  })

  it('show the flags as JSON after one click', async () => {
    page = await rig.open('/rollout')
    await page.click('summary >> text=Values of the file as JSON')
    const shown: unknown = JSON.parse(await page.innerText('.values pre'))
    const { ops } = flagsViewSchema.parse(await dataOf(await rig.call('GET', '/runtime/flags')))
    expect(shown).to.deep.equal(ops.values)
    expect(await seriousFindings(page)).to.deep.equal([])
  })

  it('show a conflict as three columns, lose nothing, and save on top of the other edit', async () => {
    page = await rig.open('/rollout')
    await page.fill('input[name=canary]', '20')
    const theirs = await rig.call('PATCH', '/runtime/flags', { shadowPercent: 7 }, { 'if-match': '*' })
    expect(theirs.status).to.equal(200)
    await page.click('text=Review the change')
    await page.waitForSelector('.conflict')
    // Chromium tells of every refused request in the log of the page.
    expect(rig.faults().join()).to.include('412')
    const cells = await page.locator('.conflict tbody tr').allInnerTexts()
    expect(cells.map((row) => row.split(/\t|\n/).map((cell) => cell.trim()))).to.deep.include.members([
      ['canary', '5', '5', '20'],
      ['shadow', '–', '7', '–'],
    ])
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.click('text=Put mine on top of theirs')
    expect(await page.inputValue('input[name=shadow]')).to.equal('7')
    await page.click('text=Review the change')
    await page.click('dialog >> button.primary')
    await page.waitForSelector('text=Saved and in effect.')
    const { ops } = flagsViewSchema.parse(await dataOf(await rig.call('GET', '/runtime/flags')))
    expect(ops.values?.mode.canaryPercent).to.equal(20)
    expect(ops.values?.shadow.percent).to.equal(7)
    // The turns of later tests are not shadowed.
    const back = await rig.call('PATCH', '/runtime/flags', { shadowPercent: 0 }, { 'if-match': '*' })
    expect(back.status).to.equal(200)
  })

  it('set limits by a form that says what is wrong, and keep both edits where somebody was faster', async () => {
    page = await rig.open('/rollout')
    await page.click('summary >> text=Limits')
    const limits = page.locator('details:has(> summary:text-is("Limits"))')
    const wrong = [
      ['input[name="limits.streamsPerOrg"]', '-1', 'Must be a whole number from 0 to 1,000,000.'],
      ['input[name="limits.overloadDelayMs"]', '', 'Must be a whole number from 0 to 60,000.'],
      ['textarea[name="limits.weights"]', 'acme', '“acme” is not organisation = number.'],
      ['textarea[name="limits.weights"]', 'a = 1\na = 2', '“a = 2”: this organisation is listed twice.'],
      ['textarea[name="limits.weights"]', 'a = 0', '“a = 0”: the share must be from 0.01 to 1,000.'],
    ] as const
    for (const [field, text, words] of wrong) {
      await page.fill(field, text)
      await limits.locator(`.wrong >> text=${words}`).waitFor()
      await page.click('text=Review the change')
      expect(await page.innerText('form [role=status].notice')).to.match(/: (Must|“)/)
    }
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.click('text=中文')
    await page.waitForSelector('.wrong >> text=份额必须在')
    await page.click('text=English')
    await page.fill('input[name="limits.streamsPerOrg"]', '200')
    await page.fill('input[name="limits.overloadDelayMs"]', '120')
    await page.fill('textarea[name="limits.weights"]', 'acme = 3')
    expect(await limits.locator('.wrong').count()).to.equal(0)
    const theirs = { limits: { startsPerMinutePerUser: 30, weights: { globex: 2 } } }
    expect((await rig.call('PATCH', '/runtime/flags', theirs, { 'if-match': '*' })).status).to.equal(200)
    await page.click('text=Review the change')
    await page.waitForSelector('.conflict')
    expect(rig.faults().join()).to.include('412')
    const cells = await page.locator('.conflict tbody tr').allInnerTexts()
    expect(cells.map((row) => row.split(/\t|\n/).map((cell) => cell.trim()))).to.deep.include.members([
      ['limits.startsPerMinutePerUser', '–', '30', '–'],
      ['limits.streamsPerOrg', '–', '–', '200'],
      ['limits.weights', '–', 'globex = 2', 'acme = 3'],
    ])
    await page.click('text=Put mine on top of theirs')
    await page.click('text=Review the change')
    await page.waitForSelector('dialog .changes')
    expect(await page.innerText('dialog .changes')).to.include('streamsPerOrg')
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.click('dialog >> button.primary')
    await page.waitForSelector('text=Saved and in effect.')
    const stored = async (): Promise<unknown> =>
      flagsViewSchema.parse(await dataOf(await rig.call('GET', '/runtime/flags'))).ops.values?.limits
    expect(await stored()).to.deep.include({
      startsPerMinutePerUser: 30,
      streamsPerOrg: 200,
      overloadDelayMs: 120,
      weights: { acme: 3, globex: 2 },
    })
    await page.fill('textarea[name="limits.weights"]', 'globex = 2')
    await page.fill('input[name="limits.streamsPerOrg"]', '')
    await page.click('text=Review the change')
    await page.click('dialog >> button.primary')
    // The page still says of the first edit that it is saved.
    await until('the second edit to be written', async () =>
      JSON.stringify(await stored()).includes('"weights":{"globex":2}'),
    )
    expect(await stored()).to.deep.include({ streamsPerOrg: null, weights: { globex: 2 } })
  })

  it('keep what is typed into the flags as soon as a change of somebody else is drawn', async () => {
    page = await rig.open('/rollout')
    await page.click('summary >> text=Limits')
    const typed = page.evaluate(TYPE_ONCE_DRAWN)
    const theirs = { limits: { weights: { umbrella: 5 } } }
    expect((await rig.call('PATCH', '/runtime/flags', theirs, { 'if-match': '*' })).status).to.equal(200)
    expect(await typed).to.equal('typed = 1')
  })

  it('start a guarded rollout, pause it, go on and abort it, each after saying what it does', async () => {
    await rig.call('PATCH', '/runtime/flags', { canaryPercent: 0, mode: null }, { 'if-match': '*' })
    page = await rig.open('/rollout')
    for (const stages of ['50, 5', '5, 101', '0', '5, 5', '5 50', '5,']) {
      await page.fill('input[name=stages]', stages)
      await page.click('text=Start a rollout…')
      const said = String(
        await page.evaluate("document.querySelector('input[name=stages]').validationMessage"),
      )
      expect(said, stages).to.include('each larger than the one before')
      expect(await page.locator('dialog[open]').count(), stages).to.equal(0)
    }
    await page.fill('input[name=stages]', '5, 50')
    await page.fill('input[name=minutes]', '10')
    await page.click('text=Start a rollout…')
    await page.waitForSelector('dialog[open]')
    expect(await page.innerText('dialog')).to.include(
      'the first 5% of the sessions go to the runtime now, then 50%',
    )
    await page.click('dialog >> button.primary')
    const guarded = page.locator('section[aria-labelledby=guarded]')
    await guarded.locator('.badge >> text=running').waitFor()
    expect(await guarded.locator('[aria-current=step]').innerText()).to.equal('5%')
    await guarded.locator('dd >> text=not enough data').waitFor()
    expect(await seriousFindings(page)).to.deep.equal([])
    await guarded.locator('text=Pause').click()
    await guarded.locator('.badge >> text=paused').waitFor()
    await guarded.locator('button >> text=Resume').click()
    await guarded.locator('.badge >> text=running').waitFor()
    await guarded.locator('text=Abort…').click()
    await page.click('dialog[open] >> button.danger')
    await guarded.locator('.badge >> text=ended').waitFor()
    await guarded.locator('summary >> text=Earlier changes').click()
    await guarded.locator('.timeline >> text=Aborted').waitFor()
  })

  it('say so where somebody else has started a guarded rollout meanwhile, and keep what was entered', async () => {
    page = await rig.open('/rollout')
    await page.fill('input[name=stages]', '10, 100')
    await page.click('text=Start a rollout…')
    await page.waitForSelector('dialog[open]')
    expect((await rig.call('POST', '/runtime/rollout', { stages: [5], everyMinutes: 10 })).status).to.equal(
      200,
    )
    try {
      await page.click('dialog >> button.primary')
      await page.waitForSelector('dialog .notice.bad')
      expect(await page.innerText('dialog')).to.include('10%')
      expect(rig.faults().join()).to.include('409')
      await page.click('dialog >> text=Cancel')
      await page.waitForSelector('[aria-labelledby=guarded] .badge >> text=running')
    } finally {
      await rig.call('POST', '/runtime/rollout/abort')
    }
  })

  it('say what is wrong in a value, and what the service refuses', async () => {
    page = await rig.open('/rollout')
    await page.click('summary >> text=Guardrails')
    await page.fill('input[name="guardrails.timeoutRate"]', '0,3')
    await page.click('text=Review the change')
    expect(await page.innerText('form [role=status]')).to.include('timeoutRate: this is not JSON')
    await page.fill('input[name="guardrails.timeoutRate"]', '3')
    await page.click('text=Review the change')
    await page.waitForSelector('dialog .notice.bad')
    expect(await page.innerText('dialog .notice.bad')).to.include('timeoutRate')
    expect(rig.faults().join()).to.include('422')
  })

  it('explain a decision by an address that can be sent to somebody', async () => {
    page = await rig.open('/explain')
    await page.fill('input[name=orgId]', 'acme')
    await page.click('form >> button[type=submit]')
    await page.waitForSelector('.answer >> text=runtime')
    expect(new URL(page.url()).search).to.equal('?orgId=acme')
    expect(await page.innerText('.decides')).to.include('chat-execution-mode')
    await page.reload()
    await page.waitForSelector('.answer >> text=runtime')
    expect(await seriousFindings(page)).to.deep.equal([])
  })

  it('run a turn beside its trace', async () => {
    page = await rig.open('/try', 'member')
    await page.fill('textarea[name=message]', 'hello')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.happened >> text=Done by the')
    expect(await page.innerText('.said')).to.match(/Answer \d+ to: hello/)
    expect(await page.innerText('.happened')).to.include('First text')
    await page.click('text=中文')
    await page.waitForSelector('.happened >> text=首段文本')
    await page.click('text=English')
    await page.waitForSelector('.happened >> text=First text')
    await page.waitForSelector('text=The kept trace')
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.setViewportSize({ width: 360, height: 740 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360)
  })

  it('show the plan and the tools of a turn, and in the next one a failover at its time', async () => {
    await rig.call('PATCH', '/runtime/flags', { enabledOrgs: ['acme'] }, { 'if-match': '*' })
    await until('acme to be on the runtime', async () =>
      JSON.stringify(await dataOf(await rig.call('GET', '/runtime/explain?orgId=acme'))).includes(
        '"mode":"runtime_orchestrator"',
      ),
    )
    page = await rig.open('/try', 'member')
    const lines = page.locator('.happened li')
    const texts = async (): Promise<string[]> =>
      (await lines.allInnerTexts()).map((text) => text.replace(/^\+\d+ ms\s+/, ''))
    await page.fill('textarea[name=message]', 'Use a tool')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.happened >> text=Done by the runtime')
    const seen = await texts()
    const inOrder = [
      'Plan: Search → Summarise',
      'Step "Search": running',
      'Call of search',
      'Result of search: success',
      'Step "Search": completed',
    ].map((text) => seen.indexOf(text))
    expect(inOrder, seen.join()).to.deep.equal([...inOrder].sort((a, b) => a - b))
    expect(inOrder[0]).to.be.greaterThan(0)
    await rig.fault('runtime', { errorEvent: true })
    try {
      await page.fill('textarea[name=message]', 'and now')
      await page.keyboard.press('Enter')
      await page.waitForSelector('.happened >> text=Done by the direct LLM')
    } finally {
      await rig.fault('runtime')
    }
    const after = await texts()
    const failover = after.findIndex((text) =>
      /^Failover: runtime failed \(runtime_error, .+\) after \d+ ms; the other backend answered$/.test(text),
    )
    expect(failover, after.join()).to.be.greaterThan(-1)
    expect(failover).to.be.below(after.findIndex((text) => text.startsWith('First text')))
    expect(await lines.nth(failover).getAttribute('class')).to.equal('warn')
    expect(await page.locator('.answer-text').last().innerText()).to.match(/^\[direct\] Answer/)
  })

  it('draw each step of a fallback and its recovery, count down to the next one, and tell in the history what led there', async () => {
    const before = flagsViewSchema.parse(await dataOf(await rig.call('GET', '/runtime/flags'))).ops.values
    const quick = {
      tickMs: 100,
      probeIntervalMs: 100,
      consecutiveFailures: 3,
      holdSeconds: 3,
      recoverySamples: 1,
      recoveryShadowPercent: 100,
      rampPercents: [5, 25, 100],
      rampStepSeconds: 3,
      scoped: false,
    }
    const edit = {
      mode: 'runtime_orchestrator',
      fallbackPolicy: 'auto',
      guardrails: quick,
      limits: { startsPerMinutePerUser: 10_000 },
    }
    expect((await rig.call('PATCH', '/runtime/flags', edit, { 'if-match': '*' })).status).to.equal(200)
    page = await rig.open('/fallback')
    const view = page
    await view.waitForSelector('.steps li[aria-current]')
    await view.evaluate(RECORD_STEPS)
    await rig.fault('runtime', { status: 500 })
    let isOver = false
    const traffic = (async () => {
      const headers = { authorization: await bearer({ user: 'traffic' }), 'content-type': 'application/json' }
      const body = JSON.stringify({ agentId: 'demo', message: 'go on' })
      while (!isOver) {
        await (await fetch(`${rig.url}/api/v1/chat/start`, { method: 'POST', headers, body })).text()
        await view.waitForTimeout(150)
      }
    })()
    try {
      await view.locator('.steps .fallback[aria-current]').waitFor()
      await rig.fault('runtime')
      await view.waitForSelector('.timeline >> text=Recovered', { timeout: 40_000 })
      await view.locator('.steps .normal[aria-current]').waitFor()
    } finally {
      isOver = true
      await traffic
      await rig.fault('runtime')
      const { guardrails } = before ?? {}
      await rig.call(
        'PATCH',
        '/runtime/flags',
        { mode: null, guardrails: guardrails ?? {} },
        { 'if-match': '*' },
      )
    }
    const { steps, timers }: { steps: string[]; timers: string[] } = await view.evaluate('recorded')
    expect(steps).to.deep.equal([
      'Normal',
      'Fallback',
      'Recovering 5%',
      'Recovering 25%',
      'Recovering 100%',
      'Normal',
    ])
    const counted = (start: string): number[] =>
      timers
        .filter((text) => text.startsWith(start))
        .flatMap((text) => Number(/(\d[\d.]*) s/.exec(text)?.[1] ?? []))
    const counts = ['The runtime is left alone', '5%', '25%', '100%'].map(counted)
    for (const seconds of counts) {
      expect(seconds, timers.join()).to.not.deep.equal([])
      expect(seconds).to.deep.equal([...seconds].sort((a, b) => b - a))
    }
    expect(Math.max(...counts.map(({ length }) => length))).to.be.above(1)
    const trip = view.locator('.timeline > li:has-text("Fallback tripped")').first()
    expect(await trip.locator('.values').first().isVisible()).to.equal(false)
    await trip.locator('summary').click()
    const [newest] = transitionsOf(await dataOf(await rig.call('GET', '/runtime/fallback/history?limit=100')))
    const text = await trip.innerText()
    expect(text).to.include(`by the service itself, replica ${newest?.replica}`)
    expect(text).to.match(new RegExp(`Revision ${newest?.revision}\\b`))
    const [evidence, guardrails] = [trip.locator('.values').nth(0), trip.locator('.values').nth(1)]
    expect(await evidence.innerText()).to.match(/^Evidence/)
    expect(await guardrails.innerText()).to.match(/^Guardrails at that moment/)
    for (const [part, value] of [
      [evidence, newest?.evidence],
      [guardrails, newest?.guardrails],
    ] as const) {
      await part.locator('button >> text=as JSON').click()
      expect(JSON.parse(await part.locator('pre').innerText())).to.deep.equal(value)
    }
    expect(newest?.guardrails).to.deep.include({ consecutiveFailures: 3 })
    expect(await seriousFindings(view)).to.deep.equal([])
  })

  it('say so where an answer is none of this build, and leave the other views as they are', async () => {
    page = await rig.open('/explain')
    // A view asks again when the page has just connected.
    await page.waitForSelector('.connection[data-state=live]')
    await page.waitForSelector('.answer')
    await page.route('**/runtime/explain*', (route) => route.fulfill({ json: { success: true, data: {} } }))
    await page.click('form >> button[type=submit]')
    await page.waitForSelector('.notice >> text=cannot show what the service answered')
    await page.click('nav >> text=Fallback')
    await page.waitForSelector('text=No manual fallback.')
  })

  it('leave a turn behind for a new session, and for the next reader of the tab', async () => {
    page = await rig.open('/try', 'member')
    for (const leave of ['New session', 'Sign out']) {
      await page.fill('textarea[name=message]', 'for me alone')
      await page.keyboard.press('Enter')
      await page.waitForSelector('.said >> text=for me alone')
      await page.click(`text=${leave}`)
      if (leave === 'Sign out') {
        await page.fill('#token', await tokenOf('owner'))
        await page.click('button[type=submit]')
      }
      await page.waitForSelector('text=No turn yet.')
    }
  })

  it('show a report without data, and a replay of a quiet hour', async () => {
    page = await rig.open('/shadow')
    await page.waitForSelector('.forest')
    expect(await page.innerText('.now')).to.include('not enough data')
    expect(await page.innerText('main .notice')).to.include('No shadow ran in this span')
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.click('nav >> text=Fallback')
    await page.click('text=Replay')
    await page.waitForSelector('text=executions were judged')
    expect(await page.innerText('section[aria-labelledby=what-if]')).to.include('What happened')
  })

  it('draw the times of both sides over each other, tell them as a table, and list the pairs that differ most', async () => {
    const path = join(rig.flags.folder, 'chat.db')
    const journal = openSqliteJournal(path, { clock: systemClock, logger: capturingLogger().logger })
    for (const [at, latencyMs] of [1_000, 1_000, 1_000, 4_000].entries()) {
      const ids = { sessionId: `session-${at}`, messageId: `message-${at}` }
      const content =
        at === 3 ? { content: { control: 'the text of one', candidate: 'that of the other' } } : {}
      const pair = sampleComparison({ at: Date.now() - 60_000 - at * 1_000, ...ids, ...content })
      journal.keepComparison({ ...pair, control: { ...pair.control, latencyMs } })
    }
    await journal.close()
    page = await rig.open('/shadow')
    const latency = page.locator('.distribution').first()
    await latency.locator('svg.histogram path').nth(1).waitFor()
    expect(await seriousFindings(page)).to.deep.equal([])
    await latency.locator('button').click()
    expect((await latency.innerText()).match(/75%|25%/g)).to.deep.equal(['75%', '25%'])
    expect(await seriousFindings(page)).to.deep.equal([])
    const ids = (): Promise<string[]> =>
      page?.locator('.pairs th > code').allInnerTexts() ?? Promise.resolve([])
    await page.waitForSelector('.pairs')
    expect((await ids()).slice(0, 2)).to.deep.equal(['message-3', 'message-0'])
    expect(await page.innerText('.pairs tbody tr >> nth=0'))
      .to.include('0.21')
      .and.include('latency 0.63')
    // Of the one pair whose content is kept.
    expect(await page.locator('.pairs summary').count()).to.equal(1)
    await page.click('.pairs tbody tr:nth-child(2) summary')
    expect(await page.locator('.pairs .answer-text').allInnerTexts()).to.deep.equal([
      'the text of one',
      'that of the other',
    ])
    await page.selectOption('select[name=sort]', 'newest')
    await until('the newest first', async () => (await ids())[0] === 'message-0')
    expect(new URL(page.url()).searchParams.get('sort')).to.equal('newest')
    await page.reload()
    await page.waitForSelector('.pairs')
    expect((await ids())[0]).to.equal('message-0')
    expect(await seriousFindings(page)).to.deep.equal([])
  })

  it('keep a long name within the page', async () => {
    page = await rig.open(`/explain?orgId=${'x'.repeat(200)}`)
    await page.waitForSelector('.answer')
    const [wide, shown] = [
      await page.evaluate('document.documentElement.scrollWidth'),
      await page.evaluate('innerWidth'),
    ]
    expect(wide).to.be.at.most(Number(shown))
  })

  for (const [begins, locale] of [
    ['light', 'en-US'],
    ['dark', 'zh-CN'],
  ] as const)
    it(`fit a small screen, and have no serious finding in either theme: ${locale}, beginning ${begins}`, async () => {
      page = await rig.open('', 'owner', {
        colorScheme: begins,
        locale,
        viewport: { width: 360, height: 740 },
      })
      const view = page
      const theme = (): Promise<string> => view.evaluate('document.documentElement.dataset.theme')
      await page.waitForSelector('.now')
      expect(await theme()).to.equal(begins)
      const texts: string[] = []
      for (const path of ['', '/fallback', '/rollout', '/shadow', '/explain', '/try']) {
        await page.click(`nav a[href="/console${path}"]`)
        await page.waitForSelector('main h1', { state: 'attached' })
        await page.waitForSelector('main .quiet[role=status]', { state: 'detached' })
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme })
          await until(`the ${colorScheme} theme`, async () => (await theme()) === colorScheme)
          const where = `${path} ${colorScheme}`
          expect(await seriousFindings(page), where).to.deep.equal([])
          expect(await page.evaluate('document.documentElement.scrollWidth'), where).to.be.at.most(360)
        }
        texts.push(await page.innerText('main'))
      }
      const isChinese = locale === 'zh-CN'
      for (const text of texts) expect(/[\u4e00-\u9fff]{2}/.test(text)).to.equal(isChinese)
    })

  it('tell when the service is away, keep what was last known, and come back by themselves', async () => {
    page = await rig.open('')
    await page.waitForSelector('.connection[data-state=live]')
    const view = page
    await rig.restart(async () => {
      await view.waitForSelector('.banner.bad')
      expect(await view.innerText('.banner.bad')).to.include('Connection lost since')
      expect(await view.innerText('.now')).to.include('no fallback')
    })
    await page.waitForSelector('.connection[data-state=live]')
    expect(await page.locator('.banner').count()).to.equal(0)
    expect(rig.faults().filter((fault) => !LOST.test(fault))).to.deep.equal([])
  })

  it('keep what somebody is editing while the service is away', async () => {
    page = await rig.open('/rollout')
    const view = page
    await view.fill('input[name=canary]', '41')
    await rig.restart(async () => {
      await view.waitForSelector('.banner.bad')
      // Asks again for everything that the view shows.
      await view.click('button[lang=zh-CN]')
      await view.waitForSelector('.loaded > .notice.bad')
      expect(await view.innerText('.loaded > .notice.bad')).to.include(
        '服务没有响应（Failed to fetch）。请确认服务正在运行',
      )
      expect(await view.inputValue('input[name=canary]')).to.equal('41')
    })
    await view.waitForSelector('.connection[data-state=live]')
    await view.waitForSelector('.loaded > .notice.bad', { state: 'detached' })
    expect(await view.inputValue('input[name=canary]')).to.equal('41')
    expect(rig.faults().filter((fault) => !LOST.test(fault))).to.deep.equal([])
  })

  it('read an edit of the file by hand', async () => {
    page = await rig.open('/rollout')
    await page.waitForSelector('form')
    await rig.call('PATCH', '/runtime/flags', { canaryPercent: 20 }, { 'if-match': '*' })
    const changed = rig.flags
      .read()
      .replace(/"(runtime_orchestrator|direct_llm)",\s*\d+/g, (_, side) =>
        side === 'direct_llm' ? '"direct_llm", 67' : '"runtime_orchestrator", 33',
      )
    rig.flags.write(changed)
    const input = page.locator('input[name=canary]')
    await until('the canary in the form', async () => (await input.inputValue()) === '33')
  })
})

/** The last entry that the service itself made of a fallback's begin. */
const transitionsOf = (data: unknown): TransitionView[] =>
  z
    .array(transitionSchema)
    .parse(data)
    .filter(({ kind }) => kind === 'trip')

/** Keeps in the page's `recorded` each step that is marked as the present one, and each text of the countdown. */
const RECORD_STEPS = `(() => {
  globalThis.recorded = { steps: [], timers: [] }
  const keep = (all, selector) => {
    const text = document.querySelector(selector)?.textContent
    if (text !== undefined && text !== all.at(-1)) all.push(text)
  }
  const look = () => {
    keep(recorded.steps, '.steps [aria-current]')
    keep(recorded.timers, '[role=timer]')
  }
  look()
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true })
})()`

/**
 * Types into the weights 5 ms after an org `umbrella` is drawn among the values, before anything that waits for a paint; what
 * the field holds 300 ms later. Time alone can show it: nothing tells that no effect wrote over it. Without a paint Preact runs
 * effects after 35 ms.
 */
const TYPE_ONCE_DRAWN = `new Promise((resolve) => {
  globalThis.requestAnimationFrame = () => 0
  new MutationObserver((_, observer) => {
    if (!document.querySelector('pre').textContent.includes('umbrella')) return
    observer.disconnect()
    const field = document.querySelector('textarea[name="limits.weights"]')
    setTimeout(() => {
      field.value = 'typed = 1'
      field.dispatchEvent(new Event('input', { bubbles: true }))
      setTimeout(() => resolve(field.value), 300)
    }, 5)
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
})`
