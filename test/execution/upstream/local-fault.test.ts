import { expect } from 'chai'
import { isDnsFaultCode, localFaultOf } from '../../../src/core/local-fault.js'
import type { ExecutionError } from '../../../src/execution/execution-error.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { TransportError } from '../../../src/execution/transport-error.js'
import { transportFailure } from '../../../src/execution/upstream/upstream-failure.js'
import { executed } from '../../support/executed.js'

const failure = (code: string): ExecutionError => {
  const cause = Object.assign(new Error(code), { code })
  return transportFailure('runtime', new TransportError('unreachable', false, { cause })) as ExecutionError
}

describe('a connection that cannot be opened', () => {
  for (const code of ['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM'])
    it(`for ${code} is a fault of this machine`, () => {
      expect(failure(code)).to.include({ code: 'runtime_unreachable' })
      expect(failure(code).details).to.deep.equal({ localFault: code })
    })

  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOENT'])
    it(`for ${code} is not`, () => {
      expect(failure(code).details).to.deep.equal({})
      expect(localFaultOf(Object.assign(new Error(), { code }))).to.equal(undefined)
    })

  it('for a name that is not resolved is perhaps', async () => {
    for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL']) {
      expect(isDnsFaultCode(code)).to.equal(true)
      expect(failure(code).details).to.deep.equal({ isDnsFault: true })
    }
    const backend = createRuntimeOrchestrator({ url: 'http://no-such-name.invalid' })
    expect((await executed(backend)).error?.details).to.deep.equal({ isDnsFault: true })
    backend.close()
  })
})
