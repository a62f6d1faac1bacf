import type { MarkdownPage } from './markdown.js'

/** One call of our API as a document tells of it. */
export interface DocumentedCall {
  /** page and line, for the message */
  readonly where: string
  readonly method: string
  /** as written, parameters and all: `/api/v1/runtime/metrics/:orgId` */
  readonly path: string
  /** `from&to`, or with values; absent where there is none */
  readonly query?: string | undefined
  readonly body?: string | undefined
}

const METHOD_AND_PATH =
  /\b(GET|POST|PUT|PATCH|DELETE) +(\/[\w/:-]+(?:\.json)?)(?:\?([\w&=-]+))?(?: (\{.*\}))?/g
/** A path alone is one to GET, unless it is a group of paths: all of /api/v1/runtime. */
const BARE_PATH = /^(?!\/api\/v1\/runtime$)\/[a-z][\w/:-]*$/
/** What the runtime, flagd and the simulators answer to, not we. */
const FOREIGN = /^\/(health$|readyz$|healthz$|_|v1\/|api\/v1\/execute\/)/

const FLAGS_PATH = '/api/v1/runtime/flags'

/** Every call in the prose, tables and shell lines of a page. */
export function documentedCalls(page: MarkdownPage): DocumentedCall[] {
  const fenced = page.fences.flatMap(({ language, text, line }) => {
    const where = `${page.path}:${line}`
    if (language === 'sh') return callsInShell(text, where)
    return language === '' ? callsInText(text, where) : []
  })
  const rows = new Map(page.rows.map((row) => [row.line, row]))
  const spans = page.spans.flatMap(({ text, line }) => {
    const where = `${page.path}:${line}`
    // A table may say once, in its header, where all its paths begin.
    const prefix = /`(\/api\/[\w/]+)`/.exec(rows.get(line)?.header.join() ?? '')?.[1] ?? ''
    const calls = BARE_PATH.test(text) ? [{ where, method: 'GET', path: text }] : callsInText(text, where)
    if (calls.length === 0) return callsInShell(text, where)
    return calls.map((call) => (call.path.startsWith('/api/') ? call : { ...call, path: prefix + call.path }))
  })
  return [...fenced, ...spans].filter(({ path }) => !FOREIGN.test(path))
}

/** Of the demo's guide and of shell blocks: `curl … $CHAT_URL/…`, and the runbook's own `ops <path>` and `edit <JSON>`. */
export function callsInShell(text: string, where: string): DocumentedCall[] {
  const commands = text.replaceAll('\\\n', ' ').split(/\n|;|\| |&& /)
  return commands.flatMap((command): DocumentedCall[] => {
    const ours = /\bcurl\b.*?\$CHAT_URL(\/[^"'\s]+)/.exec(command)?.[1]
    const ops = /(?:^|\s)ops '?([a-z][^'\s]*)/.exec(command)?.[1]
    const edit = /(?:^|\s)edit '(\{[^']*\})'/.exec(command)?.[1]
    if (edit !== undefined) return [{ where, method: 'PATCH', path: FLAGS_PATH, body: edit }]
    const target = ours ?? (ops === undefined ? undefined : `/api/v1/runtime/${ops}`)
    if (target === undefined || target.includes('$')) return []
    const [path = '', query] = target.split('?')
    const body = / -d '([^']*)'/.exec(command)?.[1]
    const method = / -X ([A-Z]+)/.exec(command)?.[1] ?? (body === undefined ? 'GET' : 'POST')
    return [{ where, method, path, query, body }]
  })
}

const callsInText = (text: string, where: string): DocumentedCall[] =>
  [...text.matchAll(METHOD_AND_PATH)].map(([, method = '', path = '', query, body]) => ({
    where,
    method,
    path,
    query,
    body,
  }))
