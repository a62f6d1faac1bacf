import { readdirSync, readFileSync } from 'node:fs'

export interface Fence {
  /** what follows the opening backticks; empty where nothing does */
  readonly language: string
  readonly text: string
  /** 1-based, of its first line of text */
  readonly line: number
}

/** One `code span`; of one broken over lines the blanks are single. */
export interface Span {
  readonly text: string
  readonly line: number
}

/** One row of a table but its header; cells as written. */
export interface TableRow {
  readonly header: readonly string[]
  readonly cells: readonly string[]
  readonly line: number
}

/** What a test looks for in a page of Markdown. */
export interface MarkdownPage {
  readonly path: string
  readonly text: string
  readonly fences: readonly Fence[]
  readonly spans: readonly Span[]
  readonly rows: readonly TableRow[]
  /** targets of relative links, as written */
  readonly links: readonly Span[]
  /** what `#…` may name here, by GitHub's rule */
  readonly anchors: ReadonlySet<string>
}

/** README and its like in the root, and everything under docs/. */
export function documentPages(): MarkdownPage[] {
  const inRoot = readdirSync('.').filter((name) => name.endsWith('.md'))
  const inDocs = readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
  return [...inRoot, ...inDocs].map((path) => markdownPage(path, readFileSync(path, 'utf8')))
}

export function markdownPage(path: string, text: string): MarkdownPage {
  const fences = fencesOf(text)
  const prose = withoutFences(text)
  return {
    path,
    text,
    fences,
    spans: matches(prose, /(?<!`)(`+)(?!`)((?:(?!\n\s*\n).)+?)(?<!`)\1(?!`)/gs, 2),
    rows: rowsOf(prose),
    links: matches(prose, /\]\((?!\w+:)([^)\s]+)\)/g, 1),
    anchors: anchorsOf(prose),
  }
}

const FENCE = /^([ \t]*)```(\w*)\n([\s\S]*?)^[ \t]*```[ \t]*$/gm

function fencesOf(text: string): Fence[] {
  return [...text.matchAll(FENCE)].map((match) => {
    const [, indent = '', language = '', body = ''] = match
    return {
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      line: lineAt(text, match.index) + 1,
    }
  })
}

/** Blank lines in their place, so that line numbers stay. */
const withoutFences = (text: string): string => text.replace(FENCE, (fence) => fence.replaceAll(/[^\n]/g, ''))

const lineAt = (text: string, at: number): number => text.slice(0, at).split('\n').length

function matches(text: string, pattern: RegExp, group: number): Span[] {
  return [...text.matchAll(pattern)].map((match) => ({
    text: (match[group] ?? '').replaceAll(/\s+/g, ' ').trim(),
    line: lineAt(text, match.index),
  }))
}

function rowsOf(prose: string): TableRow[] {
  const lines = prose.split('\n')
  return lines.flatMap((line, at) => {
    if (!line.startsWith('|') || isRule(line) || isRule(lines[at + 1])) return []
    const rule = lines.findLastIndex((above, index) => index < at && isRule(above))
    return [{ header: cellsOf(lines[rule - 1] ?? ''), cells: cellsOf(line), line: at + 1 }]
  })
}

const isRule = (line: string | undefined): boolean => line !== undefined && /^\|[\s:|-]+\|$/.test(line)

const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split(/(?<!\\)\|(?=(?:[^`]*`[^`]*`)*[^`]*$)/)
    .map((cell) => cell.trim())

function anchorsOf(prose: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = matches(prose, /^#{1,6} (.+)$/gm, 1).map(({ text }) => {
    const slug = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  })
  return new Set(anchors)
}
