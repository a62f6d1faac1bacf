import { expect } from 'chai'
import fc from 'fast-check'
import type { Outcome } from '../../../src/execution/outcome.js'
import type { MessageBody } from '../../../src/protocol/events.js'
import { MAX_ITEMS, MAX_TEXT, Observer } from '../../../src/shadow/compare/observer.js'

const OUTCOME: Outcome = {
  mode: 'runtime_orchestrator',
  result: 'ok',
  orgId: 'org-1',
  agentId: 'assistant',
  startedAt: 5,
  latencyMs: 900,
  firstContentMs: 80,
}

const text = (content: string): MessageBody => ({ type: 'text', data: { content } })
const call = (toolName: string): MessageBody => ({
  type: 'tool_call',
  data: { toolName, arguments: { secret: 1 }, status: 'calling' },
})
const plan = (...titles: string[]): MessageBody => ({
  type: 'plan',
  data: { steps: titles.map((title) => ({ id: title, title, status: 'pending' })), currentStep: 0 },
})
const step = (stepId: string): MessageBody => ({
  type: 'plan_step',
  data: { stepId, title: stepId, status: 'running' },
})

describe('an observer', () => {
  it('tells what a comparison needs', () => {
    const observer = new Observer()
    observer.saw([{ type: 'thinking', data: { content: 'hm' } }, plan('one', 'two'), step('one')])
    observer.saw([
      call('search'),
      { type: 'tool_result', data: { toolName: 'search', result: 3, success: true } },
    ])
    observer.saw([
      { type: 'skill_call', data: { skillId: 's', skillName: 'Summary', arguments: {}, status: 'calling' } },
      { type: 'mcp_call', data: { serverId: 'files', toolName: 'write', arguments: {}, status: 'calling' } },
      { type: 'file', data: { url: 'http://x', filename: 'f', mimeType: 'text/plain' } },
    ])
    observer.saw([text('Hello '), text('中文')])
    expect(observer.observation({ ...OUTCOME, tokens: 12 })).to.deep.equal({
      mode: 'runtime_orchestrator',
      result: 'ok',
      latencyMs: 900,
      firstContentMs: 80,
      tokens: 12,
      text: 'Hello 中文',
      characters: 8,
      steps: ['one', 'two'],
      calls: ['tool:search', 'skill:Summary', 'mcp:files/write'],
    })
    expect([observer.events, observer.files, observer.answerTokens]).to.deep.equal([10, 1, 4])
  })

  it('tells how a side failed', () => {
    const failed: Outcome = { ...OUTCOME, result: 'timeout', code: 'gap_timeout', phase: 'streaming' }
    expect(new Observer().observation(failed)).to.include({
      result: 'timeout',
      code: 'gap_timeout',
      text: '',
    })
  })

  it('takes the newest plan, and steps that no plan named', () => {
    const observer = new Observer()
    observer.saw([step('zero'), plan('one'), plan('a', 'b'), step('b'), step('c'), step('c')])
    expect(observer.observation(OUTCOME).steps).to.deep.equal(['a', 'b', 'c'])
  })

  it('holds little, whatever it sees, and goes on counting', () => {
    const observer = new Observer()
    for (let n = 0; n < 2000; n += 1)
      observer.saw([text('x'.repeat(1000)), call(`c${n}`.padEnd(5000, 'c')), step(`s${n}`.padEnd(5000, 's'))])
    const seen = observer.observation(OUTCOME)
    expect(seen.text.length).to.equal(MAX_TEXT)
    expect(seen.characters).to.equal(2_000_000)
    expect([seen.calls.length, seen.steps.length]).to.deep.equal([MAX_ITEMS, MAX_ITEMS])
    expect([...seen.calls, ...seen.steps].every((name) => name.length < 300)).to.equal(true)
    expect(observer.events).to.equal(6000)
  })

  it('keeps names and text up to their bounds, in whole characters', () => {
    const observer = new Observer()
    const long = `${'n'.repeat(199)}😀`
    observer.saw([call('n'.repeat(200)), call('n'.repeat(201)), call(long), step('s'.repeat(201))])
    observer.saw([text('x'.repeat(MAX_TEXT)), text('y')])
    const seen = observer.observation(OUTCOME)
    expect(seen.calls).to.deep.equal([
      `tool:${'n'.repeat(200)}`,
      `tool:${'n'.repeat(200)}`,
      `tool:${'n'.repeat(199)}`,
    ])
    expect(seen.steps).to.deep.equal(['s'.repeat(200)])
    expect(seen.text).to.equal('x'.repeat(MAX_TEXT))
    expect(observer.characters).to.equal(MAX_TEXT + 1)
    expect(observer.calls).to.have.lengthOf(3)
  })

  it('cuts a name before half of a character alone', () => {
    const observer = new Observer()
    const halves = ['\u{10000}', '\u{10ffff}']
    const whole = ['！', '\ue000', '\ud7ff']
    observer.saw([...halves, ...whole].map((sign) => call(`${'n'.repeat(199)}${sign}n`)))
    observer.saw([call(`${'n'.repeat(198)}😀n`)])
    expect(observer.calls).to.deep.equal([
      ...halves.map(() => `tool:${'n'.repeat(199)}`),
      ...whole.map((sign) => `tool:${'n'.repeat(199)}${sign}`),
      `tool:${'n'.repeat(198)}😀`,
    ])
  })

  it('leaves out what nobody knows', () => {
    const { firstContentMs: _, ...outcome } = OUTCOME
    expect(new Observer().observation(outcome)).to.have.all.keys(
      ...['mode', 'result', 'latencyMs', 'text', 'characters', 'steps', 'calls'],
    )
  })

  it('says nothing more once something was left out', () => {
    const observer = new Observer()
    observer.saw([text('x'.repeat(MAX_TEXT - 1)), text('yz'), text('z')])
    expect(observer.observation(OUTCOME).text).to.equal(`${'x'.repeat(MAX_TEXT - 1)}y`)
    const torn = new Observer()
    torn.saw([text(`${'x'.repeat(MAX_TEXT - 1)}😀`), text('z')])
    expect(torn.observation(OUTCOME).text).to.equal('x'.repeat(MAX_TEXT - 1))
  })

  it('takes no more steps of a plan than it keeps, and forgets those of the plan before', () => {
    const observer = new Observer()
    const titles = Array.from({ length: MAX_ITEMS + 1 }, (_, at) => `s${at}`)
    observer.saw([plan(...titles)])
    expect(observer.observation(OUTCOME).steps).to.deep.equal(titles.slice(0, MAX_ITEMS))
    observer.saw([plan('s1'), step('s2'), step('s1')])
    expect(observer.observation(OUTCOME).steps).to.deep.equal(['s1', 's2'])
  })

  it('gives the beginning of what was said, in whole characters', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 40_000 }), { maxLength: 4 }),
        (pieces) => {
          const observer = new Observer()
          for (const piece of pieces) observer.saw([text(piece)])
          const all = pieces.join('')
          const seen = observer.observation(OUTCOME)
          expect(seen.characters).to.equal(all.length)
          expect(all.startsWith(seen.text)).to.equal(true)
          expect(seen.text.length).to.be.within(Math.min(all.length, MAX_TEXT - 4), MAX_TEXT)
          expect(seen.text).not.to.match(/[\ud800-\udbff]$/)
        },
      ),
      { numRuns: 50 },
    )
    const observer = new Observer()
    observer.saw([text(`x${'😀'.repeat(MAX_TEXT / 2)}`), text('y')])
    expect(observer.observation(OUTCOME).text).to.match(/^x😀+$/u)
  })
})
