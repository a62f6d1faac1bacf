import { expect } from 'chai'
import { failedTurn, interruptedTurn } from '../../../src/http/openai/failed-turn.js'
import { EXECUTION_ERROR_CODES } from '../../../src/protocol/execution-codes.js'
import { openAiErrorSchema } from '../../../src/protocol/openai.js'

const failed = (code: (typeof EXECUTION_ERROR_CODES)[number], details = {}) =>
  failedTurn({ kind: 'failed', executionMode: 'direct_llm', code, phase: 'headers', details }, 'en')

describe('a turn that fails at the OpenAI-compatible front', () => {
  it('has a status, a type and a sentence for each code', () => {
    const statuses = new Map<number, string[]>()
    for (const code of EXECUTION_ERROR_CODES) {
      const { status, body } = failed(code)
      const { error } = openAiErrorSchema.parse(body)
      expect(error.type).to.equal(status < 500 ? 'invalid_request_error' : 'server_error')
      expect(error.message).to.match(/^[A-Z]/)
      statuses.set(status, [...(statuses.get(status) ?? []), code])
    }
    expect([...statuses.keys()].sort()).to.deep.equal([400, 500, 502, 503, 504])
    expect(statuses.get(400)).to.deep.equal(['llm_content_filtered', 'llm_context_too_long'])
    for (const code of statuses.get(504) ?? []) expect(code).to.match(/_timeout$/)
    expect(statuses.get(504)).to.have.length(
      EXECUTION_ERROR_CODES.filter((code) => code.endsWith('_timeout')).length,
    )
  })

  it('is the client’s fault where the upstream refused what the client sent, but not where all places were taken', () => {
    expect(failed('llm_bad_request').status).to.equal(502)
    expect(failed('llm_bad_request', { rejected: true }).status).to.equal(400)
    expect(failed('runtime_bad_request', { rejected: true }).status).to.equal(400)
    const busy = failed('llm_overloaded', { rejected: true })
    expect([busy.status, busy.headers['Retry-After']]).to.deep.equal([503, '1'])
  })

  it('names a field only where the client is at fault for it', () => {
    const refusedParameter = 'stop'
    expect(failed('llm_bad_request', { rejected: true, refusedParameter }).body.error).to.deep.include({
      param: 'stop',
      message: 'stop: the AI service does not take this value, change it or leave it out',
    })
    expect(failed('llm_bad_request', { refusedParameter }).body.error.param).to.equal(null)
  })

  it('may be tried again where the service restarts', () => {
    const { status, headers } = interruptedTurn('shutting_down', 'zh-CN')
    expect([status, headers['Retry-After']]).to.deep.equal([503, '5'])
  })
})
