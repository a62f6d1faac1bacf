import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'
import { TURN_FLAG_KEYS } from '../../src/decision/flags.js'
import { createServiceMetrics } from '../../src/metrics/prometheus.js'
import { TURN_OUTCOMES } from '../../src/metrics/prometheus-turns.js'
import { EXECUTION_ERROR_CODES } from '../../src/protocol/execution-codes.js'
import { EXECUTION_MODES } from '../../src/protocol/modes.js'
import { countsOf, newTally } from '../../src/shadow/report/shadow-counts.js'
import { sampleOutcome } from '../metrics/sample-outcome.js'
import { QUIET } from '../support/fallback-fakes.js'
import { documentPages } from '../support/markdown.js'

/** Metrics, their labels and the alert rules in the documents, against what is exported. */

/** Values by label, by the name of the metric. */
type Exported = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>

async function exportedMetrics(): Promise<Exported> {
  const metrics = createServiceMetrics({
    replica: 'replica-1',
    processMetrics: true,
    flagsStatus: () => ({ resolver: 'file', state: 'ready', faults: [] }),
    codeDefaults: () => new Map(TURN_FLAG_KEYS.map((key) => [key, 0])),
    fallback: () => QUIET,
    shadows: () => countsOf(newTally(), 0),
    storeAvailable: () => true,
    llm: () => ({
      requests: ['ok', 'aborted', ...EXECUTION_ERROR_CODES].map((cause) => ['default', cause, 0]),
      endpoints: [{ endpoint: 'default', requests: 0, resting: false }],
      waiting: 0,
      refused: 0,
    }),
    counts: () => ({
      chat_window_orgs_dropped_total: 0,
      chat_turns_lost_total: 0,
      chat_local_faults_total: 0,
      chat_journal_dropped_total: 0,
      chat_notifications_dropped_total: 0,
      chat_recovery_shadows_total: 0,
      chat_recovery_shadows_dropped_total: 0,
    }),
  })
  for (const mode of EXECUTION_MODES)
    for (const result of ['ok', 'error', 'timeout', 'aborted', 'rejected'] as const)
      metrics.recordOutcome(sampleOutcome({ mode, result, firstContentMs: 1 }))
  metrics.recordOutcome({ ...sampleOutcome({ result: 'aborted' }), abandoned: 'connect' })
  metrics.recordDecision({ mode: 'direct_llm', reason: 'default', shadow: false })
  metrics.recordFailover({
    from: 'runtime_orchestrator',
    cause: 'runtime_http_error',
    phase: 'headers',
    afterMs: 1,
  })
  for (const outcome of TURN_OUTCOMES)
    metrics.recordTurn({ mode: 'direct_llm', outcome, latencyMs: 1, firstContentMs: 1 })
  metrics.recordRequest('POST /api/v1/chat/start', 503)
  const { body } = await metrics.exposition()
  const exported = new Map<string, Map<string, Set<string>>>()
  for (const [, name = '', labels = ''] of body.matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    const values = exported.get(name) ?? new Map<string, Set<string>>()
    exported.set(name, values)
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="([^"]*)"/g))
      values.set(label, (values.get(label) ?? new Set()).add(value))
  }
  // Of a histogram people name the whole.
  for (const [name, values] of [...exported])
    if (name.endsWith('_bucket')) exported.set(name.replace(/_bucket$/, ''), values)
  return exported
}

/** `{mode="direct_llm", result=~"a|b"}` or `{mode,result}`: labels there are, with values there are. */
function labelFaults(labels: string, known: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...labels.matchAll(/(\w+)\s*(?:(?:=~?|!~|!=)\s*"([^"]*)")?/g)].flatMap(([, label = '', value]) => {
    const values = known.get(label)
    if (values === undefined) return [`no label ${label}`]
    const wanted = value === undefined ? [] : value.split('|')
    return wanted.filter((one) => !values.has(one)).map((one) => `no ${label} is ${one}`)
  })
}

const ruleSchema = z.strictObject({
  alert: z.string().regex(/^Chat[A-Za-z]+$/),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+[smhd]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['page', 'ticket']) }),
  annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
})
const rulesSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(ruleSchema) })).length(1),
})
const PROMQL = new Set(['sum', 'min', 'max', 'rate', 'increase', 'and', 'or'])

describe('the metrics in the documents', () => {
  const pages = documentPages()
  let exported: Exported

  before(async () => {
    exported = await exportedMetrics()
  })

  it('are exported, with the labels and values that are named', () => {
    const named = pages.flatMap((page) =>
      [...page.text.matchAll(/(?<![\w.^])(chat_[a-z_]+)(?:\{([^}]*)\})?/g)].map((match) => ({ page, match })),
    )
    expect(named.length).to.be.greaterThan(25)
    const wrong = named.flatMap(({ page, match: [whole, name = '', labels = ''] }) => {
      const known = exported.get(name)
      return known === undefined
        ? [`${page.path} ${name}`]
        : labelFaults(labels, known).map((fault) => `${page.path} ${whole}: ${fault}`)
    })
    expect(wrong).to.deep.equal([])
  })

  describe('in the alert rules', () => {
    const runbook = pages.find(({ path }) => path === 'docs/runbook.md')
    // The page tells how to take them out: by the one yaml block there is.
    const blocks = runbook?.fences.filter(({ language }) => language === 'yaml') ?? []
    let rules: z.infer<typeof ruleSchema>[] = []

    before('they are YAML, and rules', () => {
      rules = rulesSchema.parse(parse(blocks[0]?.text ?? '')).groups.flatMap((group) => group.rules)
    })

    it('are all in one block, under names of their own', () => {
      expect(blocks).to.have.length(1)
      expect(new Set(rules.map(({ alert }) => alert)).size).to.equal(rules.length)
    })

    it('are asked for in words Prometheus has, about metrics there are', () => {
      for (const { alert, expr } of rules) {
        const bare = expr.replaceAll(/\{[^}]*\}|\[\d+[smhd]\]|\bby \([a-z_]+\)/g, '')
        const words = bare.match(/[A-Za-z_]\w*/g) ?? []
        const metrics = words.filter((word) => !PROMQL.has(word))
        expect(metrics, alert).not.to.deep.equal([])
        expect(
          metrics.filter((name) => !exported.has(name)),
          alert,
        ).to.deep.equal([])
        expect(depthOf(expr), `brackets of ${alert}`).to.equal(0)
      }
    })

    it('take the rate of counters alone', () => {
      for (const { alert, expr } of rules)
        for (const [, name = ''] of expr.matchAll(/(?:rate|increase)\((\w+)/g))
          expect(name, alert).to.match(/(_total|_bucket|_count|_sum)$/)
    })

    it('point at headings of the runbook', () => {
      for (const { alert, annotations } of rules) {
        const [path, anchor = ''] = annotations.runbook.split('#')
        expect(path, alert).to.equal('docs/runbook.md')
        expect(runbook?.anchors.has(anchor), `${alert} #${anchor}`).to.equal(true)
      }
    })

    it('point at sections that say what to look at and what to do', () => {
      const silent = rules
        .map(({ annotations }) => annotations.runbook.split('#')[1] ?? '')
        .filter((anchor) => !/\*\*Do\*\*|\| do \|/.test(sectionOf(runbook?.text ?? '', anchor)))
      expect([...new Set(silent)]).to.deep.equal([])
    })

    it('are those the page speaks of', () => {
      const spoken =
        runbook?.spans.map(({ text }) => text).filter((text) => /^Chat[A-Z]\w+$/.test(text)) ?? []
      expect(spoken.length).to.be.greaterThan(0)
      for (const name of spoken) expect(rules.map(({ alert }) => alert)).to.include(name)
    })
  })
})

/** From its heading to the next one of the same level or above. */
function sectionOf(text: string, anchor: string): string {
  const lines = text.split('\n')
  const slug = (line: string): string =>
    line
      .replace(/^#+ /, '')
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-')
  const from = lines.findIndex((line) => /^#+ /.test(line) && slug(line) === anchor)
  if (from < 0) return ''
  const level = /^#+/.exec(lines[from] ?? '')?.[0].length ?? 0
  const to = lines.findIndex(
    (line, at) => at > from && /^#+ /.test(line) && (/^#+/.exec(line)?.[0].length ?? 0) <= level,
  )
  return lines.slice(from, to < 0 ? undefined : to).join('\n')
}

const depthOf = (expr: string): number => expr.split('(').length - expr.split(')').length
