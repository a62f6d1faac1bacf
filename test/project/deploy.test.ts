import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'
import { type Exported, exportedMetrics, labelFaults } from '../support/exported-metrics.js'
import { documentPages } from '../support/markdown.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

/** Alert rules and dashboard, against the metrics the service exports and the sections of the runbook. */

const RULES = 'deploy/prometheus/rules.yml'
const DASHBOARD = 'deploy/grafana/chat-cutover.json'

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

const panelSchema = z.object({
  id: z.number(),
  title: z.string(),
  type: z.string(),
  gridPos: z.strictObject({ h: z.number(), w: z.number(), x: z.number(), y: z.number() }),
  targets: z.array(z.object({ expr: z.string() })).optional(),
})
type Panel = z.infer<typeof panelSchema>
const dashboardSchema = z.object({
  uid: z.string(),
  panels: z.array(panelSchema),
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
  annotations: z.object({ list: z.array(z.object({ name: z.string(), expr: z.string() })) }),
})

const PROMQL = new Set('sum min max rate increase changes histogram_quantile and or by'.split(' '))

/** Prometheus 2 has the bounds of buckets as the service writes them (`10`), Prometheus 3 each with a point (`10.0`). */
const EITHER_BOUND = /\ble=~"(\d+)\|\1\.0"/g

/** What is wrong with an expression: names, labels, values, brackets, rates of gauges. */
function exprFaults(expr: string, exported: Exported): string[] {
  const selectors = [...expr.matchAll(/([a-z]\w*)(\{[^}]*\})?/g)]
  const bare = expr.replaceAll(/\{[^}]*\}|\[[^\]]*\]|\bby \([a-z_, ]+\)/g, '')
  const names = (bare.match(/[A-Za-z_]\w*/g) ?? []).filter((word) => !PROMQL.has(word))
  const rated = [...expr.matchAll(/(?:rate|increase|changes)\((\w+)/g)].map(([, name = '']) => name)
  return [
    ...(names.length === 0 ? ['no metric'] : []),
    ...names.filter((name) => !exported.has(name)).map((name) => `no metric ${name}`),
    // `instance` is Prometheus' own.
    ...selectors.flatMap(([, name = '', labels = '']) => {
      const known = name.startsWith('chat_') ? exported.get(name) : undefined
      const own = labels.replace(/instance=~"\$instance",?/, '').replaceAll(EITHER_BOUND, 'le="$1"')
      return known === undefined ? [] : labelFaults(own, known)
    }),
    ...(/\ble=/.test(expr.replaceAll(EITHER_BOUND, '')) ? ['a bound of Prometheus 2 or 3 alone'] : []),
    ...rated.filter((name) => !/(_total|_bucket|_count|_sum)$/.test(name)).map((name) => `rate of ${name}`),
    ...(expr.split('(').length === expr.split(')').length ? [] : ['brackets']),
  ]
}

/** Of `promtool check rules`; undefined where there is none. */
function promtoolFaults(file: string): string | undefined {
  const { error, status, stdout, stderr } = spawnSync(
    process.env.PROMTOOL ?? 'promtool',
    ['check', 'rules', file],
    {
      encoding: 'utf8',
      timeout: 30_000,
    },
  )
  if (error !== undefined) return undefined
  return status === 0 ? '' : `${stdout}${stderr}`
}

describe('the alert rules', () => {
  const rules = rulesSchema.parse(parse(readFileSync(RULES, 'utf8'))).groups.flatMap((group) => group.rules)
  const runbook = documentPages().find(({ path }) => path === 'docs/runbook.md')
  let exported: Exported

  before(async () => {
    exported = await exportedMetrics()
  })

  it('have names of their own', () => {
    expect(rules.length).to.be.greaterThan(20)
    expect(new Set(rules.map(({ alert }) => alert)).size).to.equal(rules.length)
  })

  it('ask for metrics there are, with labels and values there are', () => {
    const wrong = rules.flatMap(({ alert, expr }) =>
      exprFaults(expr, exported).map((fault) => `${alert}: ${fault}`),
    )
    expect(wrong).to.deep.equal([])
  })

  it('lead to sections of the runbook that say what to do', () => {
    const wrong = rules.flatMap(({ alert, annotations }) => {
      const [path, anchor = ''] = annotations.runbook.split('#')
      if (path !== 'docs/runbook.md' || runbook?.anchors.has(anchor) !== true)
        return [`${alert}: no #${anchor}`]
      return /\*\*Do\*\*|\| do \|/.test(sectionOf(runbook.text, anchor))
        ? []
        : [`${alert}: #${anchor} says nothing`]
    })
    expect(wrong).to.deep.equal([])
  })

  it('are those the runbook speaks of', () => {
    const spoken = runbook?.spans.map(({ text }) => text).filter((text) => /^Chat[A-Z]\w+$/.test(text)) ?? []
    expect(spoken.length).to.be.greaterThan(0)
    for (const name of spoken) expect(rules.map(({ alert }) => alert)).to.include(name)
  })

  it('pass promtool, where there is one', function () {
    const faults = promtoolFaults(RULES)
    // This machine has no promtool.
    if (faults === undefined) this.skip()
    expect(faults).to.equal('')
  })
})

describe('the dashboard', () => {
  const directory = temporaryDirectory()
  const dashboard = dashboardSchema.parse(JSON.parse(readFileSync(DASHBOARD, 'utf8')))
  const exprs = [
    ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))),
    ...dashboard.annotations.list.map(({ name, expr }) => ({ title: name, expr })),
  ]

  it('asks for metrics there are, with labels and values there are', async () => {
    const exported = await exportedMetrics()
    expect(exprs.length).to.be.greaterThan(20)
    const wrong = exprs.flatMap(({ title, expr }) =>
      exprFaults(expr, exported).map((fault) => `${title}: ${fault}`),
    )
    expect(wrong).to.deep.equal([])
  })

  it("shows the names of the operators' runbook", () => {
    const text = exprs.map(({ expr }) => expr).join(' ')
    for (const name of [
      'chat_execution_total',
      'chat_execution_error_total',
      'chat_execution_latency_ms_sum',
      'chat_runtime_fallback_enabled',
    ])
      expect(text).to.include(`${name}{`)
  })

  it('has panels with ids of their own that do not overlap', () => {
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).to.equal(ids.length)
    const overlap = dashboard.panels.flatMap((one, at) =>
      dashboard.panels
        .slice(at + 1)
        .flatMap((other) => (overlaps(one, other) ? [`${one.title}, ${other.title}`] : [])),
    )
    expect(overlap).to.deep.equal([])
    for (const { title, gridPos } of dashboard.panels) expect(gridPos.x + gridPos.w, title).to.be.at.most(24)
  })

  it('uses no variable but its own and those of Grafana', () => {
    const known = new Set(dashboard.templating.list.map(({ name }) => name))
    const used = exprs.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name = '']) => name))
    expect(used.filter((name) => !known.has(name) && name !== '__rate_interval')).to.deep.equal([])
  })

  it('has expressions that pass promtool, where there is one', function () {
    const rules = exprs.map(({ expr }, at) => ({
      record: `panel:${at}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
    }))
    const file = directory.path('dashboard.rules.yml')
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const faults = promtoolFaults(file)
    // This machine has no promtool.
    if (faults === undefined) this.skip()
    expect(faults).to.equal('')
  })
})

function overlaps({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

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
