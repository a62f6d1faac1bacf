import { join } from 'node:path'
import { expect } from 'chai'
import type { Locator, Page } from 'playwright-core'
import { systemClock } from '../../src/core/clock.js'
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.js'
import { shadowReportSchema } from '../../src/protocol/shadow-report.js'
import { dataOf } from '../support/answers.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { sampleComparison, sampleDrop, sampleExecution, sampleSide } from '../support/comparisons.js'
import { type ConsoleRig, seriousFindings, startConsole } from '../support/console-page.js'
import { sampleTransition } from '../support/fallback-fakes.js'
import { until } from '../support/until.js'

const MINUTE_MS = 60_000
/** how long before the test the incident began, and how many executions a second it has; a journal takes 1,000 at once */
const BEGAN_MS = 40 * MINUTE_MS
const PER_SECOND = 1
/** after its beginning the fallback tripped */
const MARKED_MS = 8 * MINUTE_MS

/** An incident that the journal kept: of the runtime's executions every minute a tenth more fails, up to all. */
async function keepIncident(rig: ConsoleRig): Promise<void> {
  const path = join(rig.flags.folder, 'chat.db')
  const journal = openSqliteJournal(path, { clock: systemClock, logger: capturingLogger().logger })
  const began = Date.now() - BEGAN_MS
  for (let turn = 0; turn < 12 * 60 * PER_SECOND; turn += 1) {
    const minute = Math.floor(turn / (60 * PER_SECOND))
    journal.keepExecution(
      sampleExecution({
        at: began + (turn * 1_000) / PER_SECOND,
        mode: 'runtime_orchestrator',
        sessionId: `s-${turn}`,
        result: turn % 10 < minute ? 'error' : 'ok',
        latencyMs: 200,
      }),
    )
  }
  journal.keepTransition(sampleTransition({ at: began + MARKED_MS }))
  await journal.close()
}

/** Pairs of the two orgs of which a report is drawn, and what was dropped of them; a journal takes 1,000 at once. */
const AB = 270
const AA = 90

/**
 * A candidate that takes twice as long as the control, in two orgs. Of `well` a quarter of the pairs is the control once more, as configured; of
 * `skewed` as many, where it should be three quarters. The service that is asked keeps no content, though there is some.
 */
async function keepPairs(rig: ConsoleRig): Promise<void> {
  const path = join(rig.flags.folder, 'chat.db')
  const journal = openSqliteJournal(path, { clock: systemClock, logger: capturingLogger().logger })
  const at = Date.now() - BEGAN_MS
  for (const [orgId, aaPercent] of [
    ['well', 25],
    ['skewed', 75],
  ] as const)
    for (let pair = 0; pair < AB + AA; pair += 1) {
      const kind = pair < AB ? 'ab' : 'aa'
      const spread = (seed: number): number => Math.exp(0.3 * Math.sin(seed * (pair + 1)))
      const slower = kind === 'ab' ? 2 : 1
      const candidate = { mode: kind === 'ab' ? 'runtime_orchestrator' : 'direct_llm' } as const
      journal.keepComparison(
        sampleComparison({
          at: at + pair,
          orgId,
          kind,
          aaPercent,
          messageId: `${orgId}-${pair}`,
          control: sampleSide({ latencyMs: 1_000 * spread(1.7) }),
          candidate: sampleSide({ ...candidate, latencyMs: 1_000 * slower * spread(2.9) }),
          textSimilarity: kind === 'ab' ? 0.7 : 0.9,
          content: { control: 'kept', candidate: 'before' },
        }),
      )
    }
  for (const reason of ['busy', 'busy', 'busy', 'sick'])
    journal.keepDrop(sampleDrop({ at, orgId: 'well', reason, kind: 'ab' }))
  await journal.close()
}

/** A journal with an incident in it, on screens of all sizes. */
describe('the console before a kept incident', function () {
  this.timeout(60_000)
  let rig: ConsoleRig
  let page: Page

  before(async function () {
    rig = await startConsole(this)
    await keepIncident(rig)
    await keepPairs(rig)
  })
  after(async () => rig?.close())
  afterEach(async () => {
    await rig?.leave()
    rig?.expectNoFaults()
  })

  const VIEWS = ['', '/fallback', '/rollout', '/shadow', '/explain', '/try']

  for (const [width, height] of [
    [2560, 1440],
    [3840, 2160],
  ] as const)
    it(`fills a wall display of ${width} × ${height}, and nothing is wider than it`, async () => {
      page = await rig.open('', 'owner', { viewport: { width, height } })
      for (const view of VIEWS) {
        await page.click(`nav a[href="/console${view}"]`)
        await page.waitForSelector('main h1', { state: 'attached' })
        await page.waitForSelector('main .quiet[role=status]', { state: 'detached' })
        expect(await page.evaluate('document.documentElement.scrollWidth'), view).to.be.at.most(width)
        expect(await tooWide(page), view).to.deep.equal([])
      }
      await page.click('nav a[href="/console"]')
      await page.locator('.plot canvas').nth(4).waitFor()
      const boxes = await Promise.all(
        (await page.locator('.chart').all()).map((chart) => chart.boundingBox()),
      )
      expect(boxes).to.have.length(5)
      // Side by side, and over nearly all of the width.
      expect(new Set(boxes.map((box) => Math.round(box?.y ?? 0))).size).to.equal(1)
      expect(sum(boxes.map((box) => box?.width ?? 0))).to.be.greaterThan(0.9 * width)
      const plot = await page.locator('.plot').first().boundingBox()
      const canvas = await page.locator('.plot canvas').first().boundingBox()
      expect(Math.abs((canvas?.width ?? 0) - (plot?.width ?? 0))).to.be.lessThan(1)
      const size: string = await page.evaluate('getComputedStyle(document.body).fontSize')
      expect(Number.parseFloat(size)).to.be.greaterThan(17)
    })

  it('draws its charts anew in the text of a wall display when the window is moved onto one', async () => {
    page = await rig.open('', 'owner', { viewport: { width: 1280, height: 900 } })
    await page.evaluate(RECORD_FONTS)
    const view = page
    /** px of the text in the charts as they were drawn last, of the text of the page, and height of a chart */
    const sizes = (): Promise<[number, number, number]> =>
      view.evaluate(`[
        Math.min(...fonts.values()),
        Number.parseFloat(getComputedStyle(document.documentElement).fontSize),
        document.querySelector('.plot canvas')?.getBoundingClientRect().height ?? 0,
      ]`)
    // Each change of the width makes the charts draw; at the first width they may have drawn before that is recorded.
    for (const width of [3840, 1280, 3840]) {
      await page.setViewportSize({ width, height: 1200 })
      await until(
        `charts for a width of ${width}`,
        async () => {
          const [drawn, text, height] = await sizes()
          return Math.abs(drawn - (12 / 16) * text) < 0.1 && Math.abs(height - (150 / 16) * text) < 1
        },
        8_000,
      )
      const [, text] = await sizes()
      expect(text).to.be.closeTo(width === 1280 ? 16 : 23.4, 0.1)
    }
  })

  it('draws each dimension of a report with its interval and noise, and tells what is behind it', async () => {
    page = await rig.open('/shadow?orgId=well')
    await page.waitForSelector('.forest svg circle.net')
    const report = shadowReportSchema.parse(
      await dataOf(await rig.call('GET', '/runtime/shadow/report?orgId=well')),
    )
    expect(await page.innerText('.now'))
      .to.match(/^\s*worse/)
      .and.include(report.sentence.en)
    expect(await page.locator('main > .notice.bad, .loaded > .notice.bad').count()).to.equal(0)
    const latency = report.dimensions.find(({ dimension }) => dimension === 'latency')
    if (latency?.net == null || latency.floorRelative === null || latency.margin === null)
      throw new Error('no interval of the latency')
    expect(latency.net.low).to.be.above(0.2)
    const row = page.locator('.forest tbody tr', { has: page.locator('th:text-is("latency")') })
    expect(await row.locator('.badge').innerText()).to.equal('worse')
    expect(await row.innerText()).to.include(latency.sentence.en)
    const percent = (value: number): string =>
      `${Math.abs(value * 100)
        .toFixed(1)
        .replace(/\.0$/, '')}%`
    expect(await row.locator('.interval .figure').innerText()).to.equal(
      `+${percent(latency.net.value)} (+${percent(latency.net.low)} … +${percent(latency.net.high)})`,
    )
    // All of one row are drawn on one scale, with 0 in the middle.
    const { net, floorRelative: floor, margin } = latency
    const scale = (await drawn(row, 'line.net', 'x2')) / net.high
    expect(scale).to.be.above(0)
    for (const [mark, attribute, value] of [
      ['line.net', 'x1', net.low],
      ['circle.net', 'cx', net.value],
      ['.floor', 'x1', floor.low],
      ['.floor', 'x2', floor.high],
      ['.margin', 'x', -margin],
    ] as const)
      expect(await drawn(row, mark, attribute), mark).to.be.closeTo(value * scale, 0.1)
    const facts = page.locator('section[aria-labelledby=outcomes] .facts')
    const fact = (name: string): Promise<string> =>
      facts.locator('> div', { hasText: name }).locator('dd').innerText()
    expect(await fact('Pairs of both backends')).to.equal(String(AB))
    expect(await fact('Pairs of the control with itself')).to.equal(String(AA))
    expect(await fact('Dropped, by reason')).to.equal(
      '4 (too many shadows at a time: 3, a fallback, or the control failed too often: 1)',
    )
    expect(await page.locator('.checks .badge').allInnerTexts())
      .to.include('passed')
      .and.not.include('failed')
    await page.waitForSelector('.pairs tbody tr')
    expect(await page.locator('.pairs summary').count()).to.equal(0)
    expect(await seriousFindings(page)).to.deep.equal([])
  })

  it('warns of a report whose pairs are no longer the sample that was drawn', async () => {
    page = await rig.open('/shadow?orgId=skewed')
    await page.waitForSelector('.notice.bad >> text=Do not trust this report')
    expect(await page.innerText('.now')).to.match(/^\s*not enough data/)
    const check = page.locator('.checks li', { hasText: 'compared with itself as often as configured' })
    expect(await check.innerText()).to.match(/^failed.+χ² [\d.]+ \(fails above [\d.]+\)/)
    // What was measured stays to be seen.
    expect(await page.locator('.forest svg circle.net').count()).to.be.above(0)
    expect(await seriousFindings(page)).to.deep.equal([])
  })

  it('tells each time in UTC while the pointer is on it', async () => {
    page = await rig.open('/fallback', 'owner', { timezoneId: 'Asia/Shanghai' })
    expect((await rig.call('POST', '/runtime/fallback/trigger', { reason: 'hover' })).status).to.equal(200)
    try {
      for (const [view, selector] of [
        ['/fallback', '.timeline time'],
        ['', '.replicas time'],
      ] as const) {
        await page.click(`nav a[href="/console${view}"]`)
        await page.waitForSelector(selector)
        const seen: [string, string, string][] = await page.evaluate(
          `[...document.querySelectorAll('main time')].map((time) => [time.dateTime, time.title, time.textContent])`,
        )
        expect(seen.length, view).to.be.greaterThan(0)
        for (const [datetime, title, text] of seen) {
          expect(title).to.equal(`${datetime.replace('T', ' ').slice(0, 19)} UTC`)
          const there = new Date(Date.parse(datetime) + 8 * 60 * MINUTE_MS).toISOString()
          expect(text).to.include(there.slice(11, 19))
        }
      }
    } finally {
      expect((await rig.call('POST', '/runtime/fallback/reset')).status).to.equal(200)
    }
  })

  it('draws the thresholds where they belong, and moves them when the guardrails change', async () => {
    page = await rig.open('')
    const errors = page.locator('.chart').nth(1)
    for (const threshold of [0.5, 0.8]) {
      const guardrails = { guardrails: { errorRate: threshold } }
      expect((await rig.call('PATCH', '/runtime/flags', guardrails, { 'if-match': '*' })).status).to.equal(
        200,
      )
      await errors.locator(`.legend li:has(.level) >> text=${threshold * 100}%`).waitFor()
      await errors.locator('.plot canvas').waitFor()
      // The scale ends a tenth above the highest of all: the errors of the incident came to more than the thresholds.
      const view = page
      await until('the threshold at its place', async () => {
        const levels = await drawnLevels(view, 1.1)
        return levels.length > 0 && levels.every((value) => Math.abs(value - threshold) < 0.02)
      })
    }
    // As long as it is far from what is usual, the threshold of the mean latency would flatten the lines.
    const latency = page.locator('.chart').nth(3)
    expect(await latency.locator('.legend').innerText()).to.match(/threshold of the mean\s+4 min/)
  })

  it('marks a transition where it happened', async () => {
    page = await rig.open('')
    await page.locator('.plot canvas').nth(4).waitFor()
    const view = page
    // The first minute of the incident is at the left edge, now at the right one.
    await until('the mark of the trip', async () =>
      (await drawnMarks(view)).some((share) => Math.abs(share - MARKED_MS / BEGAN_MS) < 0.03),
    )
  })

  it('shows when other thresholds would have tripped, as one is dragged', async () => {
    page = await rig.open('/fallback')
    const section = page.locator('section[aria-labelledby=what-if]')
    await section.locator('select').selectOption('1')
    await section.locator('button[type=submit]').click()
    const trips = section.locator('.pair > div').nth(1)
    const trippedAt = async (): Promise<number | undefined> => {
      const first = trips.locator('.timeline li:has-text("Fallback tripped") time').first()
      return (await first.count()) === 0
        ? undefined
        : Date.parse((await first.getAttribute('datetime')) ?? '')
    }
    const began = Date.now() - BEGAN_MS
    const slider = section.locator('input[name=errorRate]')
    let before = Number.NEGATIVE_INFINITY
    for (const threshold of [0.15, 0.35, 0.75]) {
      await slider.fill(String(threshold))
      await section
        .locator(`.timeline >> text=threshold: ${threshold * 100}`)
        .first()
        .waitFor()
      const at = (await trippedAt()) ?? Number.NaN
      // A higher threshold trips later; each within the incident.
      expect(at, String(threshold)).to.be.greaterThan(Math.max(before, began))
      expect(at, String(threshold)).to.be.lessThan(began + 13 * MINUTE_MS)
      before = at
    }
    expect(await section.locator('.pair > div').first().innerText()).to.include('threshold: 50.00%')
    expect(await seriousFindings(page)).to.deep.equal([])
  })
})

/** Keeps in the page's `fonts` the size of the text that each canvas was last given. */
const RECORD_FONTS = `(() => {
  globalThis.fonts = new Map()
  const { fillText } = CanvasRenderingContext2D.prototype
  CanvasRenderingContext2D.prototype.fillText = function (...all) {
    for (const canvas of fonts.keys()) if (!canvas.isConnected) fonts.delete(canvas)
    fonts.set(this.canvas, Number.parseFloat(/[\\d.]+px/.exec(this.font)[0]) / devicePixelRatio)
    return fillText.apply(this, all)
  }
})()`

/** Where a mark of a row of the forest is, from its middle, in units of the drawing. */
const drawn = async (row: Locator, mark: string, attribute: string): Promise<number> => {
  const read = async (selector: string, name: string): Promise<number> =>
    Number(await row.locator(selector).getAttribute(name))
  return (await read(mark, attribute)) - (await read('.zero', 'x1'))
}

const sum = (all: readonly number[]): number => all.reduce((one, other) => one + other, 0)

/** Elements that reach beyond the right edge of the page and are in nothing that scrolls. */
const tooWide = (page: Page): Promise<string[]> =>
  page.evaluate(`[...document.querySelectorAll('body *')]
    .filter((one) => one.closest('.wide, .scroll, .hidden, .top nav') === null)
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => one.outerHTML.slice(0, 80))`)

/**
 * Runs `find` in the page on the pixels of the chart of the error rate. `find` ends a function that knows `width` and `height` of
 * the canvas, where it and its plot lie on the page (`drawn`, `area`), its pixels per CSS pixel (`scale`), and `hit(x, y)`: whether
 * a pixel has the given colour.
 */
const inPixels = (page: Page, colour: string, find: string): Promise<readonly number[]> =>
  page.evaluate(`(() => {
    const plot = document.querySelectorAll('.chart')[1].querySelector('.plot')
    const canvas = plot.querySelector('canvas')
    const [drawn, area] = [canvas, plot.querySelector('.u-over')].map((one) => one.getBoundingClientRect())
    const scale = canvas.width / drawn.width
    const probe = document.body.appendChild(document.createElement('i'))
    probe.style.color = 'var(${colour})'
    const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number)
    probe.remove()
    const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const hit = (x, y) => {
      const at = 4 * (y * width + x)
      return data[at + 3] > 60 && wanted.every((value, part) => Math.abs(data[at + part] - value) < 12)
    }
    const count = (many, isHit) => Array.from({ length: many }, (_, one) => isHit(one)).filter(Boolean).length
    ${find}
  })()`)

/** Where columns of pixels in the colour of marks are in the chart of the error rate, 0 (left) to 1. */
const drawnMarks = (page: Page): Promise<readonly number[]> =>
  inPixels(
    page,
    '--warn',
    `return Array.from({ length: width }, (_, x) => x)
      .filter((x) => count(height, (y) => hit(x, y)) > 0.3 * area.height * scale)
      .map((x) => (drawn.left + x / scale - area.left) / area.width)`,
  )

/** Where rows of pixels in the colour of thresholds are in the chart of the error rate. `highest`: where its scale ends. */
const drawnLevels = (page: Page, highest: number): Promise<readonly number[]> =>
  inPixels(
    page,
    '--bad',
    // Half of a dashed line is drawn.
    `return Array.from({ length: height }, (_, y) => y)
      .filter((y) => count(width, (x) => hit(x, y)) > 0.3 * area.width * scale)
      .map((y) => ${highest} * (1 - (drawn.top + y / scale - area.top) / area.height))`,
  )
