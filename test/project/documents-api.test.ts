import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { type DemoFacts, demoGuide, demoShell } from '../../src/cli/demo-guide.js'
import { FLAG_KEYS } from '../../src/decision/flags.js'
import { PROBLEMS } from '../../src/http/edge/problems.js'
import { type DocumentedCall, documentedCalls } from '../support/documented-calls.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { opsFileInMemory } from '../support/flag-edits.js'
import { documentPages } from '../support/markdown.js'

/** The calls the documents name, made; and what the demo prints. */

const FACTS: DemoFacts = {
  url: 'http://127.0.0.1:3001',
  tokens: { member: 'a-member-token', admin: 'an-admin-token' },
  org: 'acme',
  folder: 'data/demo',
  llmUrl: 'http://127.0.0.1:8001',
  runtimeUrl: 'http://127.0.0.1:8000',
}

const SAMPLES: Readonly<Record<string, string>> = {
  userId: 'user-7',
  from: '2026-01-01',
  to: '2026-01-02',
  orgId: 'acme',
  agentId: 'assistant',
  control: 'direct_llm',
  limit: '1',
  minutes: '5',
  before: '1',
}

/** `from&to=…` with a value for each that has none. */
function filled(query: string): string {
  const pairs = query.split('&').map((part): [string, string] => {
    const [name = '', value = SAMPLES[name]] = part.split('=')
    if (value === undefined) throw new Error(`no sample for the parameter ${name}`)
    return [name, value]
  })
  return String(new URLSearchParams(pairs))
}

const path = (call: DocumentedCall): string =>
  call.path.replace(':sessionId', randomUUID()).replace(':orgId', 'acme')

describe('the API in the documents', () => {
  const inDocuments = documentPages().flatMap(documentedCalls)
  let edge: Edge

  before(async () => {
    const inForce = (): void =>
      edge.flagListeners.forEach((listener) => void listener(Object.values(FLAG_KEYS)))
    edge = await startEdge({
      opsFile: opsFileInMemory(readFileSync('flags/chat.flagd.json', 'utf8'), inForce),
    })
  })
  after(() => edge.close())

  it('is found before it is judged', () => {
    const paths = new Set(inDocuments.map((call) => call.path))
    expect(paths.size).to.be.greaterThan(15)
  })

  it('is there, path and method', async () => {
    for (const call of inDocuments) {
      const response = await fetch(`${edge.url}${path(call)}`, { method: call.method })
      await response.body?.cancel()
      const what = `${call.where} ${call.method} ${call.path}`
      expect(response.status, what).to.be.oneOf(
        /^\/(health|metrics|openapi|docs|console)/.test(call.path) ? [200, 503] : [401],
      )
    }
  })

  it('takes the parameters and bodies that are shown', async () => {
    const shown = inDocuments.filter(({ query, body }) => query !== undefined || body !== undefined)
    expect(shown.length).to.be.greaterThan(10)
    for (const call of shown) {
      const search = call.query === undefined ? '' : `?${filled(call.query)}`
      const response = await fetch(`${edge.url}${path(call)}${search}`, {
        method: call.method,
        headers: {
          authorization: await bearer({ role: 'admin', org_id: 'acme' }),
          'content-type': 'application/json',
          'accept-language': 'en',
          ...(call.method === 'PATCH' ? { 'if-match': '*' } : {}),
        },
        ...(call.body === undefined ? {} : { body: call.body }),
      })
      const answer = await response.text()
      const what = `${call.where} ${call.method} ${call.path}${search} ${call.body ?? ''}: ${answer}`
      // The session of an example is nobody's.
      if (answer.includes(PROBLEMS.session_unknown.en)) continue
      expect(response.status, what).to.be.lessThan(400)
    }
  })
})

describe('the demo', () => {
  it('sets every name in its shell file that the documents go by', () => {
    const set = new Set([...demoShell(FACTS).matchAll(/\b([A-Z_]+)=/g)].map((match) => match[1]))
    const fences = documentPages().flatMap((page) => page.fences.filter(({ language }) => language === 'sh'))
    const own = new Set(
      fences.flatMap(({ text }) => [...text.matchAll(/\b([A-Z_]+)=/g)].map((match) => match[1])),
    )
    const used = fences.flatMap(({ text }) => [...text.matchAll(/\$([A-Z_]+)/g)].map((match) => match[1]))
    expect(used.length).to.be.greaterThan(20)
    for (const name of used) if (!own.has(name)) expect(set.has(name), name).to.equal(true)
  })

  it('prints six lines, in both languages', () => {
    for (const language of ['en', 'zh-CN'] as const) {
      const lines = demoGuide(FACTS, language).trim().split('\n')
      expect(lines).to.have.length(6)
      for (const part of [FACTS.url, '. data/demo/env', 'npx chat-cutover chat'])
        expect(lines.join('\n')).to.include(part)
    }
  })
})
