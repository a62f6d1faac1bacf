import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import type { ChatBackend } from '../../src/execution/backend.js'
import { executeTurn } from '../../src/execution/execute-turn.js'
import { ExecutionError } from '../../src/execution/execution-error.js'
import type { Outcome } from '../../src/execution/outcome.js'
import { TurnAborted, type TurnResult } from '../../src/execution/turn-result.js'
import { manualClock } from '../support/manual-clock.js'
import { sampleLimits, sampleTurn } from '../support/sample-turn.js'
import { text } from '../support/scripted-backend.js'

/** A turn whose reader holds its only batch, behind which the answer ends at once, as where one read brings both. */
function hold(failure?: ExecutionError) {
  const clock = manualClock()
  const outcomes: Outcome[] = []
  const results: TurnResult[] = []
  const controller = new AbortController()
  let send: () => void = () => undefined
  const backend: ChatBackend = {
    mode: 'direct_llm',
    execute(_turn, call, sink) {
      send = () => {
        call.onConnected()
        call.onHeaders()
        expect(sink.batch([text('all')])).to.equal(false)
        sink.end(failure)
      }
      return { resume: () => expect.fail('resumed after its end') }
    },
  }
  const turn = executeTurn(
    sampleTurn(),
    'direct_llm',
    { direct_llm: backend, runtime_orchestrator: backend },
    sampleLimits,
    {
      clock,
      logger: silentLogger,
      signal: controller.signal,
      record: (outcome) => outcomes.push(outcome),
      after: () => undefined,
    },
    { batch: () => false, end: (result) => results.push(result) },
  )
  send()
  return { clock, outcomes, results, controller, turn }
}

describe('an answer that ends while its reader holds', () => {
  it('has ended when the reader takes more, and the time until then is not its own', () => {
    const { clock, outcomes, results, turn } = hold()
    clock.advance(sampleLimits.totalMs)
    expect([outcomes, results]).to.deep.equal([[], []])
    turn.resume()
    expect(outcomes.map(({ result, latencyMs }) => [result, latencyMs])).to.deep.equal([['ok', 0]])
    expect(results.map(({ kind }) => kind)).to.deep.equal(['answered'])
    expect(clock.pending()).to.equal(0)
  })

  it('has failed when the reader takes more', () => {
    const { outcomes, results, turn } = hold(new ExecutionError('llm_disconnected', 'streaming', 'broke'))
    expect(results).to.deep.equal([])
    turn.resume()
    expect(outcomes[0]).to.include({ result: 'error', code: 'llm_disconnected' })
    expect(results.map(({ kind }) => kind)).to.deep.equal(['failed'])
  })

  it('is given up where the reader never does', () => {
    const { outcomes, results, controller, turn } = hold()
    controller.abort(new TurnAborted('client_too_slow'))
    expect(outcomes[0]).to.include({ result: 'aborted', code: 'client_too_slow' })
    expect(results.map(({ kind }) => kind)).to.deep.equal(['aborted'])
    turn.resume()
    expect(results).to.have.length(1)
  })
})
