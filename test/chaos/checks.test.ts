import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { NEUTRAL } from '../../src/store/override/override.js'
import { renderOverride } from '../../src/store/override/override-document.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { startParts } from './fleet/fleet-parts.js'
import { type Event, faultOf } from './fleet/moving-reader.js'
import { Network } from './fleet/network.js'
import { OverrideWatch } from './override-watch.js'
import { classify } from './turn-client.js'

/** What checks the drills must be able to find fault. */

const MESSAGE = 'm-1-end'
const event = (id: number, name: string, data: object): string =>
  `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`
const text = (id: number, content: string): string =>
  event(id, 'message', { type: 'text', data: { content } })
const done = (id: number): string =>
  event(id, 'done', {
    executionMode: 'direct_llm',
    decision: { mode: 'direct_llm', reason: 'fallback', shadow: false },
  })
const error = (id: number): string => event(id, 'error', { code: 'gap_timeout' })
const ANSWER = `[direct] Answer 1 to: ${MESSAGE}`

describe('the check of turns', () => {
  const cases: readonly [what: string, body: string, kind: string][] = [
    ['takes the whole answer of one backend for good', text(1, ANSWER) + done(2), 'ok'],
    ['does not mind heartbeats', `event: heartbeat\ndata: null\n\n${text(1, ANSWER)}${done(2)}`, 'ok'],
    ['knows an error before the first text', error(1), 'failed_before'],
    ['knows an error after it', text(1, '[direct] ') + error(2), 'failed_after'],
    ['knows a stream that ends with nothing', '', 'failed_before'],
    ['knows a stream that breaks off', text(1, '[direct] '), 'broken'],
    ['knows a false done', text(1, '[direct] Answer') + done(2), 'broken'],
    ['knows an answer of two backends', text(1, '[runtime] ') + text(2, ANSWER) + done(3), 'broken'],
    ['knows two ends', text(1, ANSWER) + done(2) + done(3), 'broken'],
    ['knows an event after the end', text(1, ANSWER) + done(2) + text(3, 'x'), 'broken'],
    ['knows a torn frame', `${text(1, ANSWER)}event: done\ndata: {"exec`, 'broken'],
  ]
  for (const [what, body, kind] of cases)
    it(what, () => {
      expect(classify(body, '', MESSAGE).kind).to.equal(kind)
    })
})

describe('the check of streams that move to another replica', () => {
  const piece = (id: number, content: string): Event => ({
    id,
    event: 'message',
    data: { type: 'text', data: { content } },
  })
  const end = (id: number, name: 'done' | 'error'): Event => ({ id, event: name, data: {} })
  const cases: readonly [what: string, events: readonly Event[], fault: string][] = [
    ['takes every event once and the whole answer for good', [piece(1, ANSWER), end(2, 'done')], ''],
    ['takes an error at the end for good', [piece(1, '[direct] '), end(2, 'error')], ''],
    ['knows an event that came twice', [piece(1, ANSWER), piece(1, ANSWER), end(2, 'done')], 'event 1'],
    ['knows an event that was left out', [piece(1, '[direct] '), end(3, 'done')], 'event 3'],
    ['knows two ends', [piece(1, ANSWER), end(2, 'done'), end(3, 'done')], '2 terminal'],
    ['knows a stream without an end', [piece(1, ANSWER)], '0 terminal'],
    ['knows an event after the end', [end(1, 'done'), piece(2, ANSWER)], '1 terminal'],
    ['knows a false done', [piece(1, '[direct] '), end(2, 'done')], 'a wrong text'],
  ]
  for (const [what, events, fault] of cases)
    it(what, () => {
      const found = faultOf(events, MESSAGE)
      if (fault === '') expect(found).to.equal('')
      else expect(found).to.match(new RegExp(`^${fault}`))
    })
})

describe('the watch over the override', () => {
  const directory = temporaryDirectory()

  const watchOver = (...contents: string[]): OverrideWatch => {
    const path = directory.path('auto-fallback.flagd.json')
    writeFileSync(path, renderOverride(NEUTRAL))
    const watch = new OverrideWatch(path)
    watch.look()
    for (const content of contents) {
      writeFileSync(path, content)
      watch.look()
    }
    return watch
  }
  const good = renderOverride({ ...NEUTRAL, revision: 7 })

  it('takes what a replica wrote for good, and knows when it was there', () => {
    const watch = watchOver(good)
    expect(watch.faults).to.deep.equal([])
    expect(watch.first(0, ({ revision }) => revision === 7)?.text).to.equal(good)
  })

  it('knows a torn file, an empty one, and one that was changed after it was signed', () => {
    for (const bad of [good.slice(0, 100), '', good.replace('"revision": 7', '"revision": 8')])
      expect(watchOver(bad).faults, bad.slice(0, 20)).to.have.length.greaterThan(0)
  })

  it('lets a drill put there what it says beforehand', () => {
    const watch = watchOver()
    watch.expect('')
    writeFileSync(directory.path('auto-fallback.flagd.json'), '')
    watch.look()
    expect(watch.faults).to.deep.equal([])
  })
})

describe('the stage of three replicas', function () {
  this.timeout(60_000)

  it('leaves nothing behind where a part does not start, so that the next drill can', async function () {
    const refused = Network.refused()
    if (refused !== '') {
      console.log(`      skipped: ${refused}`)
      return this.skip()
    }
    const options = { perSecond: 1, postgresFolder: '/nowhere' }
    for (const _ of [1, 2]) {
      const thrown: unknown = await startParts(options).catch((error: unknown) => error)
      expect(String(thrown)).to.match(/nowhere|no PostgreSQL/)
    }
  })
})
