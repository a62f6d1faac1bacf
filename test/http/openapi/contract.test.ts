import { expect } from 'chai'
import { z } from 'zod'
import { refusalsOf } from '../../../src/http/openapi/refusals.js'
import { OPERATIONS } from '../../../src/http/operations/all-operations.js'
import { type Answer, type Operation, problemsOf } from '../../../src/http/operations/operation.js'
import { PAGE_PATHS } from '../../../src/http/operations/service-operations.js'
import { errorBodySchema } from '../../../src/protocol/api.js'
import { executionErrorCodeSchema } from '../../../src/protocol/execution-codes.js'
import { openAiErrorSchema } from '../../../src/protocol/openai.js'
import { parseEvents } from '../../support/chat-client.js'
import type { Edge } from '../../support/edge.js'
import { fullEdge, makeCall } from './contract-calls.js'
import { failedTurn, SCENES } from './contract-scenes.js'
import { documented, faultsBy } from './documented-answers.js'

/** The document against the running service: every call it names, with every answer it names. */

const exampleOf = ({ body }: Operation, name: string): string => JSON.stringify(body?.examples[name])

async function refusedAs(operation: Operation, response: Response, what: string): Promise<string> {
  const schema = documented(operation, response, what)
  const body: unknown = await response.json()
  expect(faultsBy(schema, body), `${what}: ${JSON.stringify(body)}`).to.equal('')
  if (operation.errors === 'openai') return openAiErrorSchema.parse(body).error.code
  return errorBodySchema.parse(body).error.code
}

/** The body of an answer that is no refusal, by the document and, strictly, by zod. */
async function expectBody(operation: Operation, answer: Answer, response: Response): Promise<void> {
  const what = `${operation.id} ${answer.status}`
  const schema = documented(operation, response, what)
  switch (answer.kind) {
    case 'data': {
      const body: unknown = await response.json()
      expect(faultsBy(schema, body), what).to.equal('')
      z.strictObject({ success: z.literal(true), data: answer.data }).parse(body)
      return
    }
    case 'json': {
      const body: unknown = await response.json()
      expect(faultsBy(schema, body), what).to.equal('')
      answer.schema.parse(body)
      return
    }
    case 'events': {
      const events = await someEvents(response)
      expect(events.length, what).to.be.greaterThan(0)
      for (const event of events) {
        expect(faultsBy(schema, event), `${what}: ${JSON.stringify(event)}`).to.equal('')
        answer.event.parse(event)
      }
      return
    }
    case 'chunks': {
      const chunks = chunksOf(await response.text())
      expect(chunks.at(-1), what).to.equal('[DONE]')
      for (const chunk of chunks) {
        expect(faultsBy(schema, chunk), `${what}: ${JSON.stringify(chunk)}`).to.equal('')
        answer.chunk.parse(chunk)
      }
      return
    }
    case 'text':
      expect(await response.text(), what).not.to.equal('')
      return
    case 'empty':
      expect(await response.text(), what).to.equal('')
  }
}

/** What the events of a stream without names say. */
const chunksOf = (body: string): unknown[] =>
  body
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: '))
    .map((frame) => frame.slice('data: '.length))
    .map((data): unknown => (data === '[DONE]' ? data : JSON.parse(data)))

/** Of a turn all; of a stream without an end the first. */
async function someEvents(response: Response) {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done) break
    text += decoder.decode(value, { stream: true })
    if (text.includes('event: metrics') && text.endsWith('\n\n')) break
  }
  await reader?.cancel()
  return parseEvents(text)
}

describe('the OpenAPI document and the running service', function () {
  this.timeout(60_000)
  const opened: Edge[] = []
  const keep = (edge: Edge): Edge => {
    opened.push(edge)
    return edge
  }
  let edge: Edge

  before(async () => {
    edge = keep(await fullEdge())
  })
  after(() => Promise.all(opened.map((one) => one.close())))

  it('have the same calls', () => {
    const told = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    const there = edge.routes.filter((route) => !PAGE_PATHS.some((path) => route === `GET ${path}`))
    expect(there.length).to.be.greaterThan(15)
    expect(
      there.filter((route) => !told.includes(route)),
      'routes that no entry of src/http/operations/ describes: see CONTRIBUTING.md',
    ).to.deep.equal([])
    expect(
      told.filter((call) => !there.includes(call)),
      'calls that no route takes',
    ).to.deep.equal([])
  })

  for (const operation of OPERATIONS) {
    describe(operation.id, () => {
      for (const answer of operation.answers)
        it(`answers ${answer.status}${answer.to === undefined ? '' : ` as ${answer.to}`}`, async () => {
          const body = answer.to === undefined ? {} : { body: exampleOf(operation, answer.to) }
          if (answer.status === 204 && operation.id === 'resumeStream') {
            const all = { headers: { 'last-event-id': '2' } }
            return expectBody(operation, answer, await makeCall(edge, operation, all))
          }
          if (answer.status !== 304)
            return expectBody(operation, answer, await makeCall(edge, operation, body))
          const etag = (await makeCall(edge, operation)).headers.get('etag') ?? ''
          await expectBody(
            operation,
            answer,
            await makeCall(edge, operation, { headers: { 'if-none-match': etag } }),
          )
        })

      const query = Object.keys(operation.query?.shape ?? {})
      if (query.length > 0)
        it('takes each parameter of its query', async () => {
          const [answer] = operation.answers
          for (const name of query) {
            const value = String(operation.parameters?.[name]?.example)
            const response = await makeCall(edge, operation, { query: { [name]: value } })
            if (answer !== undefined) await expectBody(operation, answer, response)
          }
        })

      const led = new Set(operation.answers.map(({ to }) => to))
      const examples = Object.entries(operation.body?.examples ?? {}).filter(([name]) => !led.has(name))
      for (const [, body] of examples.slice(1))
        it(`takes ${JSON.stringify(body)}`, async () => {
          const [answer] = operation.answers
          if (answer === undefined) throw new Error('there is no answer')
          await expectBody(operation, answer, await makeCall(edge, operation, { body: JSON.stringify(body) }))
        })

      for (const problem of problemsOf(operation))
        it(`is refused as ${problem}`, async () => {
          const scene = SCENES[problem]
          if (scene === undefined) throw new Error(`contract-scenes.ts has no scene for ${problem}`)
          const response = await scene(operation, keep)
          const what = `${operation.id} ${problem}`
          const code = await refusedAs(operation, response, what)
          const told = refusalsOf(operation).find(({ name }) => name === problem)
          expect([response.status, code], what).to.deep.equal([told?.status, told?.code])
        })

      // Those that are refusals too, of a turn that never began, are tried above.
      const refusals: readonly string[] = problemsOf(operation)
      for (const failure of (operation.failures ?? []).filter((code) => !refusals.includes(code)))
        it(`tells of a turn that failed with ${failure}`, async () => {
          const code = executionErrorCodeSchema.parse(failure)
          const response = await failedTurn(code)(operation, keep)
          const seen = await refusedAs(operation, response, failure)
          const told = refusalsOf(operation).find(({ name }) => name === failure)
          expect([response.status, seen]).to.deep.equal([told?.status, told?.code])
        })

      it('answers as the document tells also where it tells of no refusal', async () => {
        const told = problemsOf(operation)
        for (const problem of [
          'starting',
          'draining',
          'rate_limited',
          'store_unavailable',
          'body_type',
          'body_fields',
          'role_too_low',
          'token_missing',
        ] as const) {
          if (told.includes(problem)) continue
          const response = await SCENES[problem]?.(operation, keep)
          if (response === undefined) throw new Error(`no scene for ${problem}`)
          documented(operation, response, `${operation.id} in the scene ${problem}`)
          await response.body?.cancel()
        }
      })
    })
  }
})
