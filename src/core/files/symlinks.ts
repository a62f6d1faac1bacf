import { lstat, readlink } from 'node:fs/promises'
import { dirname, join, parse, resolve, sep } from 'node:path'

/** A name in a directory whose own path has no links. */
export interface PathStep {
  readonly directory: string
  readonly name: string
}

/** what Linux allows before it answers ELOOP */
const MAX_SYMLINKS = 40

/**
 * Every symbolic link on the way to `path`, and at the end the file itself, there or not; in the order of the way. A
 * Kubernetes ConfigMap swaps a link beside the file (`..data`), a deployment one far above it (`current`). Links that
 * lead in a circle are followed forty times. What cannot be looked at counts as no link. Never rejects.
 */
export async function pathSteps(path: string): Promise<PathStep[]> {
  const absolute = resolve(path)
  const steps: PathStep[] = []
  const rest = absolute.slice(parse(absolute).root.length).split(sep)
  let current = parse(absolute).root
  let links = 0
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      current = dirname(current)
      continue
    }
    const target = await linkTarget(join(current, name))
    if (target !== undefined || rest.length === 0) steps.push({ directory: current, name })
    if (target === undefined) current = join(current, name)
    else {
      links += 1
      if (links > MAX_SYMLINKS) break
      rest.unshift(...target.split(sep))
      if (target.startsWith(sep)) current = parse(absolute).root
    }
  }
  return steps
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined
  } catch {
    return undefined
  }
}
