import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect } from 'chai'
import { allImports, circlesOf, sourceFiles } from '../support/imports.js'
import { markdownPage } from '../support/markdown.js'

/** The rooms of src/ and what each may import from; the picture is in docs/architecture.md. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  protocol: [],
  llm: ['core', 'protocol'],
  config: ['core', 'llm', 'protocol', 'store'],
  limits: ['core'],
  decision: ['config', 'core', 'limits', 'protocol'],
  'flag-edits': ['core', 'decision', 'protocol'],
  'flag-source': ['core', 'decision', 'protocol'],
  execution: ['core', 'decision', 'llm', 'protocol'],
  sessions: ['core', 'execution', 'protocol'],
  idempotency: ['core'],
  metrics: ['core', 'decision', 'execution', 'fallback', 'journal', 'limits', 'protocol', 'rollout'],
  store: ['core', 'protocol'],
  replicas: ['core', 'protocol'],
  journal: ['core', 'protocol'],
  fallback: ['core', 'execution', 'journal', 'metrics', 'protocol', 'store'],
  replay: ['core', 'execution', 'fallback', 'journal', 'metrics', 'protocol', 'store'],
  rollout: ['core', 'execution', 'fallback', 'metrics', 'protocol', 'store'],
  shadow: ['core', 'decision', 'execution', 'journal', 'protocol'],
  notifications: ['core', 'journal', 'protocol'],
  turn: [
    'core',
    'decision',
    'execution',
    'fallback',
    'journal',
    'limits',
    'metrics',
    'protocol',
    'rollout',
    'sessions',
    'shadow',
  ],
  http: [
    'config',
    'core',
    'decision',
    'execution',
    'fallback',
    'flag-edits',
    'idempotency',
    'journal',
    'limits',
    'metrics',
    'protocol',
    'replay',
    'replicas',
    'rollout',
    'sessions',
    'shadow',
    'store',
    'turn',
  ],
  'process-exit': ['core'],
  app: ['core', 'http', 'limits', 'protocol', 'turn'],
  listening: ['core'],
  'shutdown-steps': ['core'],
  watchdog: [],
  parts: [
    'config',
    'core',
    'decision',
    'execution',
    'fallback',
    'flag-source',
    'idempotency',
    'journal',
    'limits',
    'llm',
    'metrics',
    'notifications',
    'protocol',
    'replay',
    'replicas',
    'rollout',
    'sessions',
    'shadow',
    'store',
  ],
  workers: ['core'],
  service: ['app', 'config', 'core', 'http', 'listening', 'parts', 'shutdown-steps', 'turn', 'workers'],
  main: ['config', 'core', 'process-exit', 'service', 'workers'],
  client: ['protocol'],
  react: ['client', 'protocol'],
  migrate: ['core', 'idempotency', 'journal', 'limits', 'replicas', 'sessions'],
  cli: ['client', 'core', 'decision', 'limits', 'llm', 'migrate', 'protocol', 'store'],
  console: ['client', 'protocol'],
  simulator: ['core', 'protocol'],
}

/** Rooms that the way of a turn may only know by their types. */
const TYPES_ONLY: readonly (readonly [from: string, to: string])[] = [
  ['execution', 'decision'],
  ['sessions', 'execution'],
  ['metrics', 'execution'],
  ['metrics', 'decision'],
  ['metrics', 'fallback'],
  ['metrics', 'journal'],
  ['fallback', 'execution'],
  ['fallback', 'journal'],
  ['fallback', 'metrics'],
  ['notifications', 'journal'],
  ['replay', 'execution'],
  ['replay', 'journal'],
  ['rollout', 'execution'],
  ['rollout', 'metrics'],
  ['metrics', 'rollout'],
  ['turn', 'rollout'],
  ['http', 'limits'],
  ['http', 'rollout'],
  ['shadow', 'decision'],
  ['shadow', 'journal'],
  ['turn', 'fallback'],
  ['turn', 'journal'],
  ['turn', 'metrics'],
  ['turn', 'shadow'],
  ['client', 'protocol'],
  ['http', 'fallback'],
  ['http', 'journal'],
  ['http', 'replay'],
  ['http', 'replicas'],
  ['http', 'store'],
]

/**
 * The rooms within a room, and what each may import from of the same room. The room's own name stands for the files that are in
 * none of them; a file that knows the rooms within is named itself. No circle leads through them.
 */
const WITHIN: Readonly<Record<string, readonly string[]>> = {
  cli: [
    'cli/chat',
    'cli/command',
    'cli/doctor',
    'cli/edit',
    'cli/runtime-check',
    'cli/setup',
    'cli/show',
    'cli/text',
  ],
  'cli/chat': ['cli/command', 'cli/service', 'cli/text'],
  'cli/command': ['cli/service', 'cli/text'],
  'cli/doctor': ['cli/command', 'cli/service', 'cli/text'],
  'cli/edit': ['cli/command', 'cli/service', 'cli/text'],
  'cli/runtime-check': ['cli/command', 'cli/doctor', 'cli/text'],
  'cli/service': ['cli/text'],
  'cli/setup': ['cli/command', 'cli/service', 'cli/text'],
  'cli/show': ['cli/command', 'cli/edit', 'cli/service', 'cli/text'],
  console: [
    'console/api',
    'console/explain',
    'console/fallback',
    'console/overview',
    'console/parts',
    'console/rollout',
    'console/shadow',
    'console/text',
    'console/try-it',
  ],
  'console/api': ['console/text'],
  'console/explain': ['console/api', 'console/parts', 'console/text'],
  'console/fallback': ['console/api', 'console/parts', 'console/text'],
  'console/overview': ['console/api', 'console/parts', 'console/text'],
  'console/parts': ['console/api', 'console/text'],
  'console/rollout': ['console/api', 'console/parts', 'console/text'],
  'console/shadow': ['console/api', 'console/parts', 'console/text'],
  'console/try-it': ['console/api', 'console/parts', 'console/text'],
  'core/files': ['core'],
  'core/json': ['core'],
  'core/postgres': ['core', 'core/sqlite'],
  'core/pulse': ['core'],
  'core/redis': ['core'],
  'core/sqlite': ['core'],
  'core/tracing': ['core'],
  'decision/check': ['decision'],
  'decision/daemon': ['decision', 'decision/file', 'decision/values'],
  'decision/file': ['decision', 'decision/check', 'decision/values'],
  'decision/open-feature-flags': ['decision', 'decision/daemon', 'decision/file', 'decision/provider'],
  'decision/provider': ['decision', 'decision/daemon', 'decision/file', 'decision/values'],
  'decision/values': ['decision', 'decision/check'],
  'execution/llm': ['execution', 'execution/openai', 'execution/upstream'],
  'execution/openai': ['execution', 'execution/parse', 'execution/refusal', 'execution/upstream'],
  'execution/parse': ['execution'],
  'execution/refusal': ['execution/parse'],
  'execution/runtime': ['execution', 'execution/parse', 'execution/refusal', 'execution/upstream'],
  'execution/upstream': ['execution', 'execution/parse'],
  'fallback/fallback-loop': ['fallback', 'fallback/loop', 'fallback/machine', 'fallback/probe'],
  'fallback/fleet': ['fallback/evidence'],
  'fallback/loop': ['fallback', 'fallback/evidence', 'fallback/fleet', 'fallback/machine', 'fallback/probe'],
  'fallback/machine': ['fallback', 'fallback/evidence'],
  'fallback/probe': ['fallback/evidence'],
  http: ['http/auth', 'http/edge', 'http/fleet'],
  'http/auth': ['http/edge'],
  'http/chat': ['http', 'http/auth', 'http/edge', 'http/fleet', 'http/stream'],
  'http/data': ['http', 'http/auth', 'http/chat', 'http/edge'],
  'http/fleet': ['http/stream'],
  'http/flags': ['http', 'http/auth', 'http/edge'],
  'http/openapi': ['http/edge', 'http/openai', 'http/operations', 'http/pages'],
  'http/operations': ['http/edge'],
  'http/openai': ['http', 'http/auth', 'http/chat', 'http/edge', 'http/stream'],
  'http/pages': ['http', 'http/auth', 'http/edge'],
  'http/operator': ['http', 'http/auth', 'http/edge', 'http/flags', 'http/stream'],
  'http/reports': ['http', 'http/auth', 'http/edge'],
  'journal/database': ['journal', 'journal/sums'],
  'journal/memory': ['journal', 'journal/sums'],
  'journal/postgres': ['journal', 'journal/database'],
  'journal/sqlite': ['journal', 'journal/database'],
  'journal/sums': ['journal'],
  'llm/gate': ['llm'],
  metrics: ['metrics/windows'],
  'rollout/loop': ['rollout', 'rollout/machine'],
  'rollout/machine': ['rollout'],
  'rollout/rollout-loop': ['rollout', 'rollout/loop', 'rollout/machine'],
  'shadow/run': ['shadow/compare', 'shadow/report'],
  simulator: ['simulator/flagd'],
  'sessions/postgres': ['sessions'],
  'sessions/retention': ['sessions'],
  'sessions/sqlite': ['sessions'],
  'store/file': ['store'],
  'store/kubernetes': ['store', 'store/shared'],
  'store/open-flag-stores': ['store', 'store/file', 'store/kubernetes', 'store/postgres', 'store/shared'],
  'store/postgres': ['store', 'store/shared'],
  'store/rollout': ['store/override'],
  'store/shared': ['store'],
  turn: ['turn/trace'],
}

/** The room within a room, or the file of `WITHIN`. */
const within = (path: string): string => {
  const file = path.replace(/\.ts$/, '')
  return file in WITHIN ? file : dirname(path)
}

const room = (path: string): string => (path.split('/')[0] ?? path).replace(/\.ts$/, '')

describe('the rooms of src/', () => {
  const arrows = allImports()
    .map(({ from, to, typeOnly }) => ({ file: from, from: room(from), to: room(to), typeOnly }))
    .filter((arrow) => arrow.from !== arrow.to)

  it('finds the imports it is about to judge', () => {
    expect(arrows.some((arrow) => arrow.from === 'main' && arrow.to === 'service')).to.equal(true)
    expect(arrows.length).to.be.greaterThan(50)
  })

  it('import along the arrows only', () => {
    const wrong = arrows.filter((arrow) => !(ARROWS[arrow.from] ?? []).includes(arrow.to))
    expect(wrong.map((arrow) => `${arrow.file} → ${arrow.to}`)).to.deep.equal([])
  })

  it('know some rooms by their types alone', () => {
    const wrong = arrows.filter(
      (arrow) => !arrow.typeOnly && TYPES_ONLY.some(([from, to]) => from === arrow.from && to === arrow.to),
    )
    expect(wrong.map((arrow) => `${arrow.file} → ${arrow.to}`)).to.deep.equal([])
  })

  it('know Koa in http/ and app.ts alone', () => {
    const known = sourceFiles().filter((file) => /from '@?koa[/']/.test(readFileSync(`src/${file}`, 'utf8')))
    expect(known.length).to.be.greaterThan(10)
    expect(known.filter((file) => room(file) !== 'http' && room(file) !== 'app')).to.deep.equal([])
  })

  it('use every arrow there is', () => {
    const used = new Set(arrows.map(({ from, to }) => `${from} → ${to}`))
    const drawn = Object.entries(ARROWS).flatMap(([from, targets]) => targets.map((to) => `${from} → ${to}`))
    expect(drawn.filter((arrow) => !used.has(arrow) && !EVERYBODYS.test(arrow))).to.deep.equal([])
  })
})

describe('the rooms within a room', () => {
  const arrows = allImports()
    .filter(({ from, to }) => from.includes('/') && room(from) === room(to))
    .map(({ from, to }) => ({ file: from, from: within(from), to: within(to) }))
    .filter((arrow) => arrow.from !== arrow.to)

  it('import along the arrows only', () => {
    const wrong = arrows.filter((arrow) => !(WITHIN[arrow.from] ?? []).includes(arrow.to))
    expect(wrong.map((arrow) => `${arrow.file} → ${arrow.to}`)).to.deep.equal([])
  })

  it('use every arrow there is', () => {
    const used = new Set(arrows.map(({ from, to }) => `${from} → ${to}`))
    const drawn = Object.entries(WITHIN).flatMap(([from, targets]) => targets.map((to) => `${from} → ${to}`))
    expect(drawn.filter((arrow) => !used.has(arrow))).to.deep.equal([])
  })

  it('import each other in no circle', () => {
    expect(circlesOf(new Map(Object.entries(WITHIN)))).to.deep.equal([])
  })
})

/** Not in the walk: what the files of a turn hand to each other. */
const TYPES_OF_A_TURN = ['turn/turn-deps.ts', 'turn/turn-reader.ts', 'turn/turn-refused.ts']

/** Anything may import these. */
const EVERYBODYS = / → (core|protocol)$/

describe('docs/architecture.md', () => {
  const page = readFileSync('docs/architecture.md', 'utf8')
  const [rooms = '', picture = '', inside = '', diagram = ''] = markdownPage(
    'docs/architecture.md',
    page,
  ).fences.map(({ text }) => text)

  it('names every room of src/, and none that is not there', () => {
    const named = [...rooms.matchAll(/^ {2}([\w-]+(?:\/|\.ts)) /gm)].map((match) => match[1] ?? '')
    const there = readdirSync('src', { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? `${entry.name}/` : entry.name,
    )
    expect(named.sort()).to.deep.equal(there.sort())
  })

  it('names every room within a room', () => {
    const named: string[] = []
    let parent = ''
    for (const [, indent, name = ''] of rooms.matchAll(/^( {2}| {4})([\w-]+\/) /gm)) {
      if (indent === '  ') parent = name
      else named.push(parent + name)
    }
    const there = new Set(sourceFiles().map((file) => dirname(file)))
    const deeper = [...there].filter((folder) => folder.includes('/'))
    expect(named.sort()).to.deep.equal(deeper.map((folder) => `${folder}/`).sort())
  })

  it('draws the arrows within the rooms', () => {
    const held = Object.entries(WITHIN).flatMap(([from, targets]) => targets.map((to) => `${from} → ${to}`))
    expect(drawnIn(inside).sort()).to.deep.equal(held.sort())
  })

  it('shows in the diagram only arrows there are', () => {
    const chains = diagram.split('\n').map((line) => line.trim().split(/ -->(?:\|[^|]+\|)? /))
    const shown = chains.flatMap((steps) => steps.slice(1).map((to, at) => ({ from: steps[at] ?? '', to })))
    expect(shown.length).to.be.greaterThan(15)
    expect(shown.filter(({ from, to }) => ARROWS[from]?.includes(to) !== true)).to.deep.equal([])
  })

  it('names each file of the walk of a turn once, and every file of turn/ that does something', () => {
    const walk = page.slice(page.indexOf('### A walk of a turn'), page.indexOf('## The way of a fallback'))
    const named = [...walk.matchAll(/^\|[^|]*\| `src\/([^`]+)` \|/gm)].map((match) => match[1] ?? '')
    const files = sourceFiles()
    expect(named.length).to.be.greaterThan(30)
    expect(named.filter((file, at) => !files.includes(file) || named.indexOf(file) !== at)).to.deep.equal([])
    const left = files.filter((file) => file.startsWith('turn/') && !named.includes(file))
    expect(left).to.deep.equal(TYPES_OF_A_TURN)
  })

  it('draws the arrows', () => {
    const drawn = drawnIn(picture)
    const held = Object.entries(ARROWS).flatMap(([from, targets]) => targets.map((to) => `${from} → ${to}`))
    expect(drawn.sort()).to.deep.equal(held.filter((arrow) => !EVERYBODYS.test(arrow)).sort())
  })
})

/** The arrows of a picture: `{a, b} → c → d`, several in one line where two spaces part them. */
function drawnIn(picture: string): string[] {
  return picture.split(/\n| {2,}/).flatMap((chain) => {
    const steps = chain.split(' → ').map((step) => step.replaceAll(/[{}]/g, '').split(', '))
    return steps.flatMap((froms, at) =>
      froms.flatMap((from) => (steps[at + 1] ?? []).map((to) => `${from.trim()} → ${to.trim()}`)),
    )
  })
}
