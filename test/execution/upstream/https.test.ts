import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { makeAuthority, pemOf } from '../../support/certificates.js'
import { engine } from '../../support/engines.js'
import { executed } from '../../support/executed.js'

describe('an upstream over TLS', () => {
  const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-https-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  const authority = engine(async () => makeAuthority(directory))
  let server: Server
  let requests: number
  let url: string

  beforeEach(async () => {
    const { cert, key } = authority().issue('localhost')
    requests = 0
    server = createServer({ cert: pemOf(cert), key: pemOf(key) }, (_request, response) => {
      requests += 1
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
    url = `https://localhost:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  for (const kind of ['runtime', 'llm'] as const)
    it(`gets no request where an unknown authority signed its certificate, as the ${kind}`, async () => {
      const backend =
        kind === 'runtime'
          ? createRuntimeOrchestrator({ url })
          : createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
      try {
        const { error } = await executed(backend)
        expect(error).to.include({
          code: `${kind}_unreachable`,
          message: 'unreachable: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        })
        expect(requests).to.equal(0)
      } finally {
        backend.close()
      }
    })
})
