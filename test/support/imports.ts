import { readdirSync, readFileSync } from 'node:fs'
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
  return files.filter((file) => file.endsWith('.ts')).sort()
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
  return [...imports].map(([, , type, statically, dynamically]) => {
    const target = posix.normalize(posix.join(dirname(file), statically ?? dynamically ?? ''))
    return { from: file, to: target.replace(/\.js$/, '.ts'), typeOnly: type !== undefined }
  })
}
