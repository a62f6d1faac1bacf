import { expect } from 'chai'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { openGate } from '../../../src/llm/gate/open-gate.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'

describe('the log of the endpoints that rest', () => {
  it('has one line when an endpoint begins to rest and one when it answers again', () => {
    const clock = manualClock()
    const { logger, lines } = capturingLogger()
    const gate = openGate([llmEndpoint({ name: 'only', baseUrl: 'http://llm', model: 'm' })], {
      clock,
      logger,
    })
    const seat = () => {
      const { now } = gate.enter(['only'], 1000)
      if (now?.kind !== 'seat') throw new Error('refused')
      return now
    }
    for (let n = 0; n < 5; n++) {
      const taken = seat()
      taken.failed({ code: 'llm_http_error', httpStatus: 503 })
      taken.leave()
    }
    clock.advance(5000)
    const probe = seat()
    probe.content()
    probe.answered()
    probe.leave()
    expect(
      lines.map(({ msg, endpoint, forMs, httpStatus }) => ({ msg, endpoint, forMs, httpStatus })),
    ).to.deep.equal([
      {
        msg: '[LLM] an endpoint rests: it failed several times in a row or asked for it',
        endpoint: 'only',
        forMs: 5000,
        httpStatus: 503,
      },
      { msg: '[LLM] an endpoint answers again', endpoint: 'only', forMs: undefined, httpStatus: undefined },
    ])
  })
})
