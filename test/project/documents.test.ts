import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect } from 'chai'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config.js'
import { checkFlagDocument } from '../../src/decision/check/ops-file-check.js'
import { FLAG_KEYS } from '../../src/decision/flags.js'
import { guardrailsSchema } from '../../src/decision/guardrails.js'
import type { Alert } from '../../src/fallback/fallback.js'
import { alertText } from '../../src/http/operator/alert-text.js'
import { fallbackDataSchema, fallbackStatusSchema, TRANSITION_KINDS } from '../../src/protocol/fallback.js'
import { SHADOW_DROP_REASONS } from '../../src/shadow/report/shadow-counts.js'
import { jsonValues } from '../support/json-values.js'
import { documentPages, type MarkdownPage } from '../support/markdown.js'

/** The documents against the code: what a page names has to be there. */

const PAGES = documentPages()
const page = (path: string): MarkdownPage => {
  const found = PAGES.find((one) => one.path === path)
  if (found === undefined) throw new Error(`${path} is missing`)
  return found
}
const RUNBOOK = page('docs/runbook.md')

/** `page:line what` for each thing that is wrong. */
const told = (at: { readonly path: string }, line: number, what: string): string =>
  `${at.path}:${line} ${what}`

const spansOf = (pages: readonly MarkdownPage[]) =>
  pages.flatMap((one) => one.spans.map((span) => ({ ...span, path: one.path })))

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
}

const SOURCES = [...filesUnder('src', '.ts'), ...filesUnder('flags', '.json'), 'package.json'].map((file) =>
  readFileSync(file, 'utf8'),
)
const KNOWN_WORDS = new Set(SOURCES.flatMap((text) => text.match(/[A-Za-z_]\w*/g) ?? []))
/** Words of code: error codes, drop reasons, causes, guardrails, fields; plain words are nobody's. */
const CODE_WORD = /\b[a-z]+(?:_[a-z0-9]+)+\b|\b[a-z]+(?:[A-Z][a-z0-9]*)+\b/g
const unknownWords = (text: string): string[] =>
  // Metrics of the process are Node's and prom-client's: documents-metrics.test.ts knows them.
  (text.match(CODE_WORD) ?? []).filter((word) => !KNOWN_WORDS.has(word) && !/^(nodejs|process)_/.test(word))

describe('percentages', () => {
  it('stand with their sign as in the messages of the service: 5%', () => {
    const texts = [
      ...filesUnder('docs', '.md'),
      ...filesUnder('src', '.ts'),
      ...filesUnder('src', '.tsx'),
      'README.md',
      'CHANGELOG.md',
    ]
    const wrong = texts.flatMap((path) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .flatMap((line, at) =>
          /[\d}…] %(?! ?[\w(])/.test(line) ? [`${path}:${at + 1} ${line.trim()}`] : [],
        ),
    )
    expect(wrong).to.deep.equal([])
  })
})

describe('what the documents link to', () => {
  it('is there: pages and their headings', () => {
    const wrong = PAGES.flatMap((one) =>
      one.links
        .filter(({ text }) => {
          const [file = '', anchor] = text.split('#')
          const path = file === '' ? one.path : normalize(join(dirname(one.path), file))
          if (!existsSync(path)) return true
          return anchor !== undefined && !page(path).anchors.has(anchor)
        })
        .map(({ text, line }) => told(one, line, text)),
    )
    expect(wrong).to.deep.equal([])
  })

  it('is there: files of ours they name', () => {
    const named = spansOf(PAGES).filter(({ text }) =>
      /^(docs|src|test|flags|scripts|bench|deploy)\/[\w./-]*$/.test(text),
    )
    expect(named.length).to.be.greaterThan(10)
    expect(
      named.filter(({ text }) => !existsSync(text)).map((span) => told(span, span.line, span.text)),
    ).to.deep.equal([])
  })

  it('is there: scripts of ours that are run', () => {
    const scripts = PAGES.flatMap((one) =>
      [...one.text.matchAll(/\bdist\/([\w/-]+)\.js\b/g)].map((match) => match[1]),
    )
    expect(scripts.length).to.be.greaterThan(2)
    for (const script of scripts) expect(existsSync(`src/${script}.ts`), script).to.equal(true)
  })
})

describe('the decisions', () => {
  it('have a number each, and a line in the list', () => {
    const files = readdirSync('docs/decisions').filter((file) => file !== 'README.md')
    const numbers = files.map((file) => file.slice(0, 4))
    expect(numbers.filter((number, at) => numbers.indexOf(number) !== at)).to.deep.equal([])
    const list = readFileSync('docs/decisions/README.md', 'utf8')
    const headed = files.filter((file) => {
      const [title = ''] = readFileSync(join('docs/decisions', file), 'utf8').split('\n')
      const line = list.split('\n').find((one) => one.endsWith(`](${file})`)) ?? ''
      const number = file.slice(0, 4)
      return title.startsWith(`# ${number}: `) && line.startsWith(`- [${number}: `)
    })
    expect(files.filter((file) => !headed.includes(file))).to.deep.equal([])
  })
})

describe('the words of code in the documents', () => {
  it('stand in the code, where they are marked as such', () => {
    // An example of a name that anybody might give a tool.
    const examples = new Set(['send_preview'])
    const wrong = spansOf(PAGES).flatMap(({ path, line, text }) =>
      unknownWords(text)
        .filter((word) => !examples.has(word))
        .map((word) => told({ path }, line, word)),
    )
    expect(wrong).to.deep.equal([])
  })

  it('are flags there are', () => {
    const keys = new Set<string>(Object.values(FLAG_KEYS))
    const named = PAGES.flatMap((one) =>
      [...one.text.matchAll(/(?<![\w/.-])chat-(?!cutover)[a-z]+(?:-[a-z]+)*/g)].map(([key]) =>
        keys.has(key) ? '' : `${one.path} ${key}`,
      ),
    )
    expect(named.length).to.be.greaterThan(20)
    expect(named.filter((wrong) => wrong !== '')).to.deep.equal([])
  })

  it('are guardrails with the values that are shipped', () => {
    const shipped = new Map<string, unknown>(Object.entries(guardrailsSchema.parse({})))
    const told = [...page('docs/fallback.md').text.matchAll(/`(\w+)` \[([^\]:]+)(?:: [^\]]+)?\]/g)]
    expect(told.length).to.be.greaterThan(15)
    for (const [whole, name = '', value = ''] of told)
      expect(JSON.stringify(shipped.get(name)), whole).to.equal(
        `${value.includes(',') ? `[${value.replaceAll(' ', '')}]` : value}`,
      )
  })

  it('are guardrails where a drill sets some', () => {
    const set = [...RUNBOOK.text.matchAll(/variants\.drill = \.variants\.standard \+ \{([^}]*)\}/g)]
    expect(set).to.have.length(1)
    const json = (set[0]?.[1] ?? '').replaceAll(/(\w+):/g, '"$1":')
    expect(guardrailsSchema.safeParse(JSON.parse(`{${json}}`)).error?.issues).to.equal(undefined)
  })

  it('are all there are, where a page tells them one by one', () => {
    const spans = (path: string) => new Set(page(path).spans.map(({ text }) => text))
    const [shadow, runbook] = [spans('docs/shadow.md'), spans('docs/runbook.md')]
    expect(SHADOW_DROP_REASONS.filter((reason) => !shadow.has(reason))).to.deep.equal([])
    const untold = TRANSITION_KINDS.filter((kind) => !runbook.has(kind) && kind !== 'adopted')
    expect(untold).to.deep.equal([])
  })
})

describe('the environment in the documents', () => {
  const BASE = {
    LLM_BASE_URL: 'http://llm.example/v1',
    JWT_SECRET: 's'.repeat(32),
    CHAT_NOTIFY_URL: 'http://notify.example',
    CHAT_REPLICA: 'replica-1',
  }
  const example = readFileSync('.env.example', 'utf8').matchAll(/^([A-Z_]+)=(.*)$/gm)
  const variables = new Map([...example].map(([, name = '', value = '']) => [name, value]))

  it('is of variables that are read', () => {
    for (const name of variables.keys()) {
      const read = () => loadConfig({ ...BASE, [name]: 'xx' })
      try {
        expect(read(), name).not.to.deep.equal(loadConfig(BASE))
      } catch (thrown) {
        expect(String(thrown)).to.contain(name)
      }
    }
  })

  it('has the defaults the code has', () => {
    const base = loadConfig(BASE)
    for (const [name, value] of [...variables, ...defaultsInTables()])
      if (value !== '' && !(name in BASE))
        expect(loadConfig({ ...BASE, [name]: value }), name).to.deep.equal(base)
  })

  it('is in .env.example', () => {
    // What is no variable of the service: of the command line, of the tests, of a shell set up by the page itself, and of
    // the machine, which the agent of the proxy reads; and keys of endpoints, which their file names.
    const proxies = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY']
    const keys = PAGES.flatMap((one) =>
      [...one.text.matchAll(/"apiKeyEnv": "(\w+)"/g)].map(([, name = '']) => name),
    )
    // Of clients that are pointed at the service.
    const clients = [
      'OPENAI_API_BASE_URL',
      'ENABLE_FORWARD_USER_INFO_HEADERS',
      'FORWARD_SESSION_INFO_HEADER_CHAT_ID',
      'LIBRECHAT_BODY_CONVERSATIONID',
    ]
    const others = new Set([
      'CHAT_URL',
      'CHAT_TOKEN',
      'NO_COLOR',
      'FLAGD_BIN',
      'ENVOY_BIN',
      'PGBOUNCER_BIN',
      'CHAT_TEST_DEMO',
      'CHAT_TEST_RUNS',
      'CHAT_TEST_POSTGRES_URL',
      'CHAT_TEST_REDIS_URL',
      'CHAT_REQUIRE_ENGINES',
      'MEMBER_TOKEN',
      ...proxies,
      ...clients,
      ...keys,
    ])
    const wrong = PAGES.flatMap((one) =>
      [...one.text.matchAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g)]
        .map(([name]) => name)
        // OpenTelemetry's own, which its SDK reads.
        .filter((name) => !variables.has(name) && !others.has(name) && !name.startsWith('OTEL_'))
        .map((name) => `${one.path} ${name}`),
    )
    expect(wrong).to.deep.equal([])
  })

  it('has values the service takes', () => {
    const given = PAGES.flatMap((one) => [...one.text.matchAll(/\b([A-Z]+(?:_[A-Z]+)+)=([\w./:-]+)/g)])
    const ours = given.filter(([, name = '']) => variables.has(name))
    expect(ours.length).to.be.greaterThan(10)
    for (const [whole, name = '', value = ''] of ours)
      expect(() => loadConfig({ ...BASE, [name]: value }), whole).not.to.throw()
  })

  /** Tables `| variable | | default |`, one value for each variable of a row. */
  function defaultsInTables(): [name: string, value: string][] {
    const rows = PAGES.flatMap(({ rows }) => rows).filter(
      ({ header }) => header[0] === 'variable' && header.at(-1) === 'default',
    )
    expect(rows.length).to.be.greaterThan(5)
    return rows.flatMap(({ cells }) => {
      const names = [...(cells[0] ?? '').matchAll(/`([A-Z_]+)`/g)].map((match) => match[1] ?? '')
      const values = (cells.at(-1) ?? '').split(', ')
      return names.map((name, at): [string, string] => [name, values[at] ?? 'missing'])
    })
  }
})

describe('the samples in the documents', () => {
  const fences = PAGES.flatMap((one) => one.fences.map((fence) => ({ ...fence, path: one.path })))
  const samples = fences
    .filter(({ language }) => language === 'json')
    .map((fence) => ({ where: told(fence, fence.line, ''), values: jsonValues(fence.text) }))

  it('are JSON and YAML', () => {
    expect(samples.length).to.be.greaterThan(10)
    for (const { where, values } of samples) expect(values, `${where} is no JSON`).not.to.equal(undefined)
    for (const fence of fences.filter(({ language }) => language === 'yaml'))
      for (const document of parseAllDocuments(fence.text)) expect(document.errors).to.deep.equal([])
  })

  it('of the status have its shape', () => {
    const { manual, probe } = fallbackStatusSchema.shape
    const shapes = {
      fallbackEnabled: fallbackStatusSchema,
      propagationMs: fallbackDataSchema,
      until: manual,
      failures: probe,
    }
    let checked = 0
    for (const { where, values = [] } of samples)
      for (const value of values)
        for (const [field, schema] of Object.entries(shapes))
          if (isObject(value) && field in value) {
            expect(schema.safeParse(value).error?.issues, where).to.equal(undefined)
            checked += 1
          }
    expect(checked).to.be.greaterThan(5)
  })

  it('of a flag are flags', () => {
    const flags = samples
      .flatMap(({ values = [] }) => values)
      .filter((value) => isObject(value) && 'flags' in value)
    expect(flags).to.have.length(1)
    for (const value of flags) expect(checkFlagDocument(JSON.stringify(value), 'ops')).to.deep.equal([])
  })

  it('of alerts are sentences of ours, and each kind has its heading', () => {
    const value = '<any>'
    const kinds: { [K in Alert['kind']]: Alert & { kind: K } } = {
      store_unreadable: { kind: 'store_unreadable', code: value, detail: value },
      not_persisted: { kind: 'not_persisted', code: value, detail: value },
      not_propagated: { kind: 'not_propagated', revision: Number.NaN },
      override_unparsable: { kind: 'override_unparsable', detail: value },
      hand_edit_refused: { kind: 'hand_edit_refused', detail: value, aside: value },
      override_missing: { kind: 'override_missing' },
      both_sick: { kind: 'both_sick' },
      local_trouble: { kind: 'local_trouble', codes: [value] },
      store_unavailable: { kind: 'store_unavailable' },
      overload: { kind: 'overload', level: 3 },
      keys_unreachable: { kind: 'keys_unreachable' },
      redis_unreachable: { kind: 'redis_unreachable' },
      standby_sick: { kind: 'standby_sick', why: value },
      recovery_waits: { kind: 'recovery_waits', percent: Number.NaN },
      fallback_lasts: { kind: 'fallback_lasts' },
      loop_failed: { kind: 'loop_failed', detail: value },
    }
    expect(Object.keys(kinds).filter((kind) => !RUNBOOK.anchors.has(kind))).to.deep.equal([])
    const newestMinute: Alert = { kind: 'standby_sick' }
    const patterns = [...Object.values(kinds), newestMinute].map((alert) => {
      const parts = alertText(alert).en.split(/<any>|NaN/)
      return new RegExp(`^${parts.map((part) => escaped(part)).join('.+')}$`)
    })
    const sentences = samples.flatMap(({ values = [] }) => values.filter(Array.isArray).flat())
    expect(sentences.length).to.be.greaterThan(3)
    for (const sentence of sentences)
      expect(
        patterns.some((pattern) => pattern.test(String(sentence))),
        String(sentence),
      ).to.equal(true)
  })

  it('of the log have fields and messages of ours', () => {
    const lines = fences.flatMap(({ text }) => text.split('\n')).filter((line) => line.startsWith('{"level"'))
    expect(lines.length).to.be.greaterThan(15)
    for (const line of lines) {
      const entry: unknown = JSON.parse(line)
      expect(isObject(entry) && 'msg' in entry, line).to.equal(true)
      expect(
        Object.keys(Object(entry)).filter((key) => !KNOWN_WORDS.has(key)),
        line,
      ).to.deep.equal([])
    }
    const table = RUNBOOK.rows.filter(({ header }) => header[0] === '`msg`')
    expect(table.length).to.be.greaterThan(8)
    for (const { cells } of table)
      for (const [, message = ''] of (cells[0] ?? '').matchAll(/`([^`]+)`/g))
        for (const part of message.split(/<\w+>|…/))
          expect(
            SOURCES.some((text) => text.includes(part.trim())),
            part,
          ).to.equal(true)
  })
})

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
