import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { expect } from 'chai'
import { packageVersion } from '../../../src/core/files/package-version.js'
import { openApiDocument } from '../../../src/http/openapi/document.js'
import { OPERATIONS } from '../../../src/http/operations/all-operations.js'
import { problemsOf } from '../../../src/http/operations/operation.js'

const DOCUMENT = openApiDocument(OPERATIONS, '0.0.0')

/** What the linter says of a document, also its warnings. */
async function faultsOf(document: unknown): Promise<string[]> {
  const config = await createConfig({
    extends: ['recommended'],
    rules: {
      // Calls that need neither token, body nor parameter can be refused by nothing.
      'operation-4xx-response': 'off',
      'no-invalid-media-type-examples': 'error',
      'operation-description': 'error',
      'tag-description': 'error',
    },
  })
  const problems = await lintFromString({ source: JSON.stringify(document), config })
  return problems.map(
    ({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`,
  )
}

describe('the OpenAPI document', function () {
  this.timeout(30_000)

  it('has nothing that the linter complains of', async () => {
    expect(await faultsOf(DOCUMENT)).to.deep.equal([])
  })

  it('is really linted: a wrong example is found', async () => {
    const [first, ...rest] = OPERATIONS
    if (first?.body === undefined) throw new Error('the first operation has no body any more')
    const wrong = { ...first, body: { ...first.body, examples: { wrong: { agentId: 1 } } } }
    const faults = await faultsOf(openApiDocument([wrong, ...rest], '0.0.0'))
    expect(faults.join()).to.include('no-invalid-media-type-examples')
  })

  it('lies beside the built service, the same as the code makes it', () => {
    const built: unknown = JSON.parse(gunzipSync(readFileSync('dist/docs-page/openapi.json.gz')).toString())
    const made = openApiDocument(OPERATIONS, packageVersion())
    expect(built).to.deep.equal(JSON.parse(JSON.stringify(made)))
  })

  it('is 3.1, and names each operation once', () => {
    expect(DOCUMENT.openapi).to.match(/^3\.1\./)
    const ids = OPERATIONS.map(({ id }) => id)
    expect(new Set(ids).size).to.equal(ids.length)
  })

  it('takes its examples from what the schemas accept', () => {
    for (const { id, body, answers } of OPERATIONS) {
      for (const example of Object.values(body?.examples ?? {}))
        expect(body?.schema.safeParse(example).error, id).to.equal(undefined)
      for (const answer of answers) {
        if (answer.kind === 'data')
          for (const example of [answer.example, ...Object.values(answer.otherExamples ?? {})])
            expect(answer.data.safeParse(example).error, id).to.equal(undefined)
        if (answer.kind === 'json')
          expect(answer.schema.safeParse(answer.example).error, id).to.equal(undefined)
        if (answer.kind === 'chunks')
          for (const example of Object.values(answer.examples))
            expect(answer.chunk.safeParse(example).error, id).to.equal(undefined)
        if (answer.kind === 'events')
          for (const example of Object.values(answer.examples))
            expect(answer.event.safeParse(example).error, id).to.equal(undefined)
      }
    }
  })

  it('says what a field means', () => {
    const { DoneEvent } = (DOCUMENT.components as { schemas: Record<string, unknown> }).schemas
    expect(DoneEvent).to.have.nested.property('properties.attempts.description').that.includes('Requests')
    expect(DoneEvent).to.have.nested.property('properties.finishReason.description')
  })

  it('refuses no field that a later version may add to an answer, and every one that a request must not have', () => {
    const schemas = JSON.stringify(DOCUMENT.components)
    expect(schemas).to.match(/"TriggerRequest":\{[^}]*.*"additionalProperties":false/)
    const { Session } = (DOCUMENT.components as { schemas: Record<string, unknown> }).schemas
    expect(JSON.stringify(Session)).not.to.include('"additionalProperties":false')
  })

  it('tells of a token wherever one is needed', () => {
    for (const operation of OPERATIONS) {
      const names = problemsOf(operation)
      expect(names.includes('token_missing'), operation.id).to.equal(operation.role !== undefined)
      expect(names.includes('role_too_low'), operation.id).to.equal(
        operation.role !== undefined && operation.role !== 'member',
      )
    }
  })
})
