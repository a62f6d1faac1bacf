import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parseEndpointFile } from '../../src/llm/endpoint-file.js'
import { endpointSchema } from '../../src/llm/endpoint-schema.js'
import { faultsSchema } from '../../src/simulator/faults.js'
import { llmFaults } from '../../src/simulator/llm-faults.js'
import { markdownPage } from '../support/markdown.js'

const SERVERS = [
  'OpenAI',
  'Azure OpenAI',
  'vLLM',
  'SGLang',
  'Ollama',
  'llama.cpp',
  'OpenRouter',
  'DeepSeek',
  'Gemini',
  'Mistral',
]

describe('the endpoints in docs/backends.md', () => {
  const text = readFileSync('docs/backends.md', 'utf8')
  const [, endpoints = ''] = text.split('\n## Endpoints\n')
  const [about = '', settings = ''] = endpoints.split('\n## Settings for known servers\n')

  for (const server of SERVERS)
    it(`are a good file: ${server}`, () => {
      const [, section = ''] = settings.split(`\n### ${server}\n`)
      const [sample] = markdownPage(server, section.split('\n### ')[0] ?? '').fences
      const parsed = parseEndpointFile(sample?.text ?? '', { variable: () => 'key', file: () => 'key' })
      expect(parsed.kind === 'faults' ? parsed.faults : []).to.deep.equal([])
    })

  it('have every field', () => {
    const { rows } = markdownPage('', about.split('\n## ')[0] ?? '')
    const named = rows.flatMap(({ cells }) =>
      [...(cells[0] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
    )
    expect(named.sort()).to.deep.equal(Object.keys(endpointSchema.shape).sort())
  })

  it('have faults of the simulated LLM behind them, and every fault of its own is told', () => {
    const { rows } = markdownPage('', settings.split('\n### What was tried\n')[1] ?? '')
    const named = rows.flatMap(({ cells }) =>
      [...(cells[2] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''),
    )
    expect(named.filter((name) => !(name in faultsSchema.shape))).to.deep.equal([])
    expect(Object.keys(llmFaults).filter((name) => !named.includes(name))).to.deep.equal([])
  })
})
