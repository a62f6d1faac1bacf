import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { ConfigError, loadConfig } from '../../src/config.js'
import { type EndpointFile, parseEndpointFile } from '../../src/llm/endpoint-file.js'
import { endpointJsonSchema } from '../../src/llm/endpoint-schema.js'
import { inBothLanguages } from '../support/in-both-languages.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const KEYS = { KEY: 'sk-1', PADDED: ' sk-2\n', TWO: 'a b' }

function parse(value: unknown): EndpointFile {
  return parseEndpointFile(typeof value === 'string' ? value : JSON.stringify(value, null, 1), {
    variable: (name) => new Map(Object.entries(KEYS)).get(name),
    file(path) {
      if (path === 'key') return 'sk-file\n'
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    },
  })
}

/** As `path: message`. */
function faultsOf(value: unknown): string[] {
  const parsed = parse(value)
  if (parsed.kind !== 'faults') return []
  return inBothLanguages(parsed.faults).map(({ path, message }) => `${path}: ${message}`)
}

function endpointsOf(value: unknown) {
  const parsed = parse(value)
  if (parsed.kind === 'faults') throw new Error(JSON.stringify(parsed.faults))
  return parsed.endpoints
}

const least = { name: 'a', baseUrl: 'http://a.test/v1', model: 'm' }
const one = (entry: object) => ({ endpoints: [{ ...least, ...entry }] })

describe('a file of LLM endpoints', () => {
  it('fills what is left out', () => {
    expect(endpointsOf({ endpoints: [{ ...least, baseUrl: 'http://a.test/v1/' }] })).to.deep.equal([
      {
        name: 'a',
        baseUrl: 'http://a.test/v1',
        model: 'm',
        auth: { kind: 'none' },
        headers: {},
        query: {},
        rename: {},
        omit: [],
        body: {},
        thinkTags: 'auto',
      },
    ])
  })

  it('gives every field, in the order of the file, as a list too', () => {
    const whole = {
      headers: { 'X-Title': 'chat' },
      query: { 'api-version': '2024-10-21' },
      rename: { max_tokens: 'max_completion_tokens' },
      omit: ['temperature', 'stream_options'],
      body: { reasoning: { effort: 'low' } },
      thinkTags: 'off',
      maxConcurrent: 4,
      contextCharacters: 8000,
    }
    const b = { ...least, name: 'b', auth: 'api-key', apiKeyEnv: 'KEY', ...whole }
    const [first, second] = endpointsOf([least, b])
    expect(first).to.include({ name: 'a' })
    expect(second).to.deep.equal({ ...least, name: 'b', auth: { kind: 'api-key', key: 'sk-1' }, ...whole })
  })

  it('gives a parameter the name of one that is renamed or not sent', () => {
    for (const free of [
      { omit: ['max_tokens'] },
      { rename: { temperature: 'max_tokens', max_tokens: 'n' } },
    ]) {
      const entry = { rename: { temperature: 'max_tokens' }, ...free }
      expect(endpointsOf(one(entry))[0].rename.temperature).to.equal('max_tokens')
    }
  })

  it('takes keys from the environment and from files, without the blanks around them', () => {
    const authOf = (entry: object) => endpointsOf(one(entry))[0].auth
    expect(authOf({ apiKeyEnv: 'PADDED' })).to.deep.equal({ kind: 'bearer', key: 'sk-2' })
    expect(authOf({ auth: 'bearer', apiKeyFile: 'key' })).to.deep.equal({ kind: 'bearer', key: 'sk-file' })
    expect(authOf({ auth: 'none' })).to.deep.equal({ kind: 'none' })
  })

  const refused: [what: string, entry: object, fault: string][] = [
    ['an unknown field', { modle: 'm' }, 'endpoints.0.modle: is no field of an endpoint'],
    ['a missing one', { model: undefined }, 'endpoints.0.model: is missing'],
    [
      'a parameter that we do not send',
      { omit: ['max_token'] },
      'endpoints.0.omit.0: must be one of "model", "temperature", "max_tokens", "stream_options"',
    ],
    [
      'a body that replaces the conversation',
      { body: { messages: [] } },
      'endpoints.0.body.messages: is set by the service',
    ],
    ['a header of ours', { headers: { Host: 'x' } }, 'endpoints.0.headers.Host: is set by the service'],
    [
      'a header that breaks the request',
      { headers: { 'X-A': 'a\r\nb' } },
      'endpoints.0.headers.X-A: must be of visible ASCII characters',
    ],
    ['another scheme', { baseUrl: 'ftp://a.test' }, 'endpoints.0.baseUrl: must be an http or https URL'],
    [
      'two names for one field',
      { rename: { max_tokens: 'stream' } },
      'endpoints.0.rename.max_tokens: "stream" is already a field of the request',
    ],
    [
      'the name of a field that is sent too',
      { rename: { temperature: 'max_tokens' } },
      'endpoints.0.rename.temperature: "max_tokens" is already a field of the request',
    ],
    ['no place', { maxConcurrent: 0 }, 'endpoints.0.maxConcurrent: must be at least 1, not 0'],
    [
      'a key that is not sent',
      { auth: 'none', apiKeyEnv: 'KEY' },
      'endpoints.0.auth: "none" sends no key, but one is named',
    ],
    [
      'no key where one is sent',
      { auth: 'api-key' },
      'endpoints.0.auth: "api-key" needs a key; name it by apiKeyEnv or apiKeyFile',
    ],
    [
      'two keys',
      { apiKeyEnv: 'KEY', apiKeyFile: 'key' },
      'endpoints.0.apiKeyFile: apiKeyEnv and apiKeyFile are both set; the key comes from one of them',
    ],
    ['a key that is not there', { apiKeyEnv: 'NOPE' }, 'endpoints.0.apiKeyEnv: NOPE is not set'],
    [
      'a key no request could carry',
      { apiKeyEnv: 'TWO' },
      'endpoints.0.apiKeyEnv: TWO must be of visible ASCII characters, without blanks',
    ],
    [
      'a file that is not there',
      { apiKeyFile: 'nope' },
      'endpoints.0.apiKeyFile: nope cannot be read: ENOENT',
    ],
  ]
  for (const [what, entry, fault] of refused)
    it(`refuses ${what}`, () => expect(faultsOf(one(entry))).to.deep.equal([fault]))

  const inline = 'would put a key into the file; name it by apiKeyEnv or apiKeyFile'
  const places: [where: string, entry: object][] = [
    ['apiKey', { apiKey: 'sk-secret' }],
    ['api_key', { api_key: 'sk-secret' }],
    ['headers.Authorization', { headers: { Authorization: 'Bearer sk-secret' } }],
    ['headers.x-api-key', { headers: { 'x-api-key': 'sk-secret' } }],
    ['headers.Cookie', { headers: { Cookie: 'sk-secret' } }],
    ['query.key', { query: { key: 'sk-secret' } }],
    ['body.api_key', { body: { api_key: 'sk-secret' } }],
    ['baseUrl', { baseUrl: 'https://me:sk-secret@a.test' }],
    ['baseUrl', { baseUrl: 'https://a.test?api_key=sk-secret' }],
  ]
  for (const [where, entry] of places)
    it(`refuses a key inline, and does not print it: ${where}`, () => {
      expect(faultsOf(one(entry))).to.deep.equal([`endpoints.0.${where}: ${inline}`])
    })

  it('refuses two endpoints of one name', () => {
    expect(faultsOf({ endpoints: [least, { ...least, model: 'n' }] })).to.deep.equal([
      'endpoints.1.name: "a" is the name of two endpoints',
    ])
  })

  it('refuses what is no file of endpoints', () => {
    expect(faultsOf('')).to.deep.equal([': the file is empty'])
    expect(faultsOf('\ufeff{}')).to.deep.equal([': not JSON: it begins with a byte order mark'])
    expect(faultsOf('{"endpoints": [],}')[0]).to.match(/^: not JSON: /)
    expect(faultsOf({ endpoints: [] })[0]).to.match(/^endpoints: must not be empty$/)
    expect(faultsOf({})).to.deep.equal(['endpoints: is missing'])
    expect(faultsOf(`${'['.repeat(300)}${']'.repeat(300)}`)[0]).to.match(/^: nested deeper/)
  })

  it('refuses a key that is there twice: only the last would count', () => {
    const twice =
      '[{"name": "a", "baseUrl": "http://a.test", "model": "m", "headers": {"X-A": "1", "X-A": "2"}, "name": "b"}]'
    expect(faultsOf(twice)).to.have.members([
      '0.headers.X-A: "X-A" is there twice',
      '0.name: "name" is there twice',
    ])
  })

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(fc.jsonValue()).map((list) => JSON.stringify(list)),
        ),
        (text) => {
          expect(parse(text).kind).to.equal('faults')
        },
      ),
    )
  })

  it('tells every fault at once, each with its line', () => {
    const text =
      '{"endpoints": [\n {"name": "a b",\n  "baseUrl": "x", "model": "m"},\n {"name": "c", "auth": "no"}\n]}'
    const parsed = parse(text)
    expect(parsed.kind === 'faults' && parsed.faults.map(({ line, path }) => [line, path])).to.deep.equal([
      [2, 'endpoints.0.name'],
      [3, 'endpoints.0.baseUrl'],
      [4, 'endpoints.1.baseUrl'],
      [4, 'endpoints.1.model'],
      [4, 'endpoints.1.auth'],
    ])
  })

  it('has a published JSON schema, made from what the service reads', () => {
    const published: unknown = JSON.parse(readFileSync('schemas/llm-endpoints.schema.json', 'utf8'))
    expect(published, 'npx chat-cutover llm schema > schemas/llm-endpoints.schema.json').to.deep.equal(
      JSON.parse(endpointJsonSchema()),
    )
    const { files } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(files).to.include('schemas')
  })
})

describe('CHAT_LLM_FILE', () => {
  const directory = temporaryDirectory()
  const base = { JWT_SECRET: 's'.repeat(32) }

  function write(name: string, value: unknown): string {
    writeFileSync(directory.path(name), typeof value === 'string' ? value : JSON.stringify(value))
    return directory.path(name)
  }

  function faults(env: Record<string, string>): readonly string[] {
    try {
      loadConfig({ ...base, ...env })
    } catch (thrown) {
      if (thrown instanceof ConfigError) return thrown.faults
      throw thrown
    }
    return []
  }

  it('gives the direct LLM its endpoints; key files lie beside it', () => {
    write('a.key', 'sk-a\n')
    const file = write('llm.json', [
      { ...least, apiKeyFile: 'a.key' },
      { ...least, name: 'b', apiKeyEnv: 'B_KEY' },
    ])
    const { llm } = loadConfig({ ...base, CHAT_LLM_FILE: file, B_KEY: 'sk-b' })
    expect(llm.map(({ name, auth }) => [name, auth])).to.deep.equal([
      ['a', { kind: 'bearer', key: 'sk-a' }],
      ['b', { kind: 'bearer', key: 'sk-b' }],
    ])
  })

  it('is one way or the other: LLM_BASE_URL makes one endpoint, named default', () => {
    const [endpoint, ...more] = loadConfig({ ...base, LLM_BASE_URL: 'http://a.test/v1' }).llm
    expect(endpoint).to.deep.include({ name: 'default', model: 'gpt-4o-mini', auth: { kind: 'none' } })
    expect(more).to.deep.equal([])
    const file = write('llm.json', [least])
    expect(faults({ CHAT_LLM_FILE: file, LLM_BASE_URL: 'http://a.test' })).to.deep.equal([
      'LLM_BASE_URL and CHAT_LLM_FILE are both set; the direct LLM comes from one of them',
    ])
    expect(faults({})).to.deep.equal(['LLM_BASE_URL is not set'])
  })

  it('stops the start with every fault of it beside those of the environment', () => {
    const file = write(
      'llm.json',
      '[\n{"name": "a", "baseUrl": "http://a.test", "apiKeyEnv": "NOPE", "model": "m"},\n{}]',
    )
    expect(faults({ CHAT_LLM_FILE: directory.path('none'), PORT: 'x' })).to.deep.equal([
      'PORT=x must be a whole number from 0 to 65535',
      `CHAT_LLM_FILE=${directory.path('none')} cannot be read: ENOENT`,
    ])
    expect(faults({ CHAT_LLM_FILE: file })).to.deep.equal([
      `CHAT_LLM_FILE=${file}: line 3: 1.name: is missing`,
      `CHAT_LLM_FILE=${file}: line 3: 1.baseUrl: is missing`,
      `CHAT_LLM_FILE=${file}: line 3: 1.model: is missing`,
    ])
  })
})
