import { expect } from 'chai'
import { STREAM_FAILURES } from '../../../src/http/chat/stream-sentences.js'
import { terminalEvent } from '../../../src/http/chat/terminal-event.js'
import { LANGUAGES } from '../../../src/http/edge/language.js'
import { PROBLEMS } from '../../../src/http/edge/problems.js'
import { doneEventSchema, errorEventSchema } from '../../../src/protocol/events.js'
import { ABORT_CODES, EXECUTION_ERROR_CODES } from '../../../src/protocol/execution-codes.js'
import { statusOf } from '../../../src/turn/end-turn.js'

const facts = {
  sessionId: 's',
  messageId: 'm',
  decision: { mode: 'runtime_orchestrator', reason: 'default', shadow: false },
  language: 'en',
  latencyMs: 12.6,
} as const

const usage = { tokens: 5, estimated: true }

describe('the terminal event', () => {
  it('is done for a kept answer, with the failover where there was one', () => {
    const failover = {
      from: 'runtime_orchestrator',
      cause: 'runtime_http_error',
      phase: 'headers',
      afterMs: 3,
    } as const
    const event = terminalEvent(
      { kind: 'answered', executionMode: 'direct_llm', usage, failover },
      'kept',
      facts,
    )
    expect(event).to.deep.equal({
      event: 'done',
      data: {
        sessionId: 's',
        messageId: 'm',
        usage: { tokens: 5, latencyMs: 13, estimated: true },
        executionMode: 'direct_llm',
        decision: facts.decision,
        failover,
      },
    })
    doneEventSchema.parse(event?.data)
  })

  it('is an error for every failure, in the public shape, with nothing of the backend but the named details', () => {
    const details = { httpStatus: 502, upstreamCode: 'E1', traceId: 't', body: 'inner' }
    for (const code of EXECUTION_ERROR_CODES) {
      const event = terminalEvent(
        {
          kind: 'failed',
          executionMode: 'direct_llm',
          code,
          phase: 'headers',
          details,
          runtime: { code: 'runtime_unreachable', phase: 'connect' },
        },
        'kept',
        facts,
      )
      expect(event?.event).to.equal('error')
      expect(errorEventSchema.parse(event?.data).details).to.deep.equal({
        phase: 'headers',
        httpStatus: 502,
        upstreamCode: 'E1',
        traceId: 't',
        runtime: { code: 'runtime_unreachable', phase: 'connect' },
      })
    }
  })

  it('of a turn given up tells those who are left to read it', () => {
    const told = ABORT_CODES.map((code) => {
      const event = terminalEvent(
        { kind: 'aborted', executionMode: 'direct_llm', code, usage },
        'kept',
        facts,
      )
      const name = event?.event === 'error' ? `error ${event.data.code}` : event?.event
      return [code, name, statusOf({ kind: 'aborted', executionMode: 'direct_llm', code, usage })]
    })
    expect(told).to.deep.equal([
      ['client_gone', undefined, 'aborted'],
      ['client_too_slow', undefined, 'aborted'],
      ['stopped', 'done', 'stopped'],
      ['shutting_down', 'error shutting_down', 'aborted'],
      ['superseded', 'error superseded', 'aborted'],
    ])
  })

  it('says so where the history does not have it yet, or was not read', () => {
    const answered = { kind: 'answered', executionMode: 'direct_llm', usage } as const
    const stopped = { kind: 'aborted', executionMode: 'direct_llm', code: 'stopped', usage } as const
    for (const result of [answered, stopped]) {
      for (const kept of ['waiting', 'unknown'] as const)
        expect(terminalEvent(result, kept, facts)?.data).to.include({ history: 'unavailable' })
      expect(terminalEvent(result, 'kept', { ...facts, history: 'unavailable' })?.data).to.include({
        history: 'unavailable',
      })
      expect(terminalEvent(result, 'kept', facts)?.data).to.not.have.property('history')
    }
  })
})

describe('what clients read', () => {
  it('is a whole sentence in each language for every refusal and failure, with no word of the inside', () => {
    for (const sentence of [...Object.values(PROBLEMS), ...Object.values(STREAM_FAILURES)])
      for (const language of LANGUAGES) {
        const text: string = sentence[language]
        expect(text.length).to.be.greaterThan(10)
        expect(text).to.not.match(/runtime|openai|upstream|undefined|null|stack/i)
        expect(/[\u4e00-\u9fff]/.test(text), text).to.equal(language === 'zh-CN')
      }
  })
})
