import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

/** One import between files of `src/`, both as paths below it. */
export interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

/** The TypeScript files of `src/`, as paths below it, sorted. */
export function sourceFiles(): string[] {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  return files.filter((file) => /\.tsx?$/.test(file)).sort()
}

/** Every import between files of `src/`, dynamic ones and re-exports among them. */
export function allImports(): Import[] {
  return sourceFiles().flatMap(importsOf)
}

function importsOf(file: string): Import[] {
  const source = readFileSync(join('src', file), 'utf8')
  const imports = source.matchAll(
    /(?:^|\n)\s*(import|export)(\s+type)?\s+(?:[^'";]*?\sfrom\s+)?'(\.[^']+)'|import\('(\.[^']+)'\)/g,
  )
  const modules = [...imports].filter((found) => !(found[3] ?? '').endsWith('.css'))
  return modules.map(([, , type, statically, dynamically]) => {
    const target = posix.normalize(posix.join(dirname(file), statically ?? dynamically ?? ''))
    const to = target.replace(/\.js$/, '.ts')
    return {
      from: file,
      to: existsSync(join('src', to)) ? to : to.replace(/\.ts$/, '.tsx'),
      typeOnly: type !== undefined,
    }
  })
}

/** Circles of a graph, each as the way from a file back to itself; none is empty. Not every circle: one for each way back. */
export function circlesOf(targets: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const path: string[] = []
  const circles: string[] = []
  const visit = (file: string): void => {
    const at = path.indexOf(file)
    if (at >= 0) circles.push([...path.slice(at), file].join(' → '))
    if (at >= 0 || done.has(file)) return
    path.push(file)
    for (const target of targets.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of targets.keys()) visit(file)
  return circles
}
