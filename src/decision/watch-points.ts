import { lstat, readlink, stat } from 'node:fs/promises'
import { dirname, join, parse, resolve, sep } from 'node:path'

/** A name in a real directory whose change may change what a path leads to. */
export interface WatchPoint {
  readonly directory: string
  readonly name: string
  /** tells a directory from another that was put in its place: a watch stays with the old one */
  readonly identity: string
}

/** what Linux allows before it answers ELOOP */
const MAX_SYMLINKS = 40

/**
 * Every link on the way to `path` and the file itself, each with its real directory. A Kubernetes ConfigMap swaps a link
 * beside the file (`..data`), a deployment one far above it (`current`); nothing happens to the file itself in either.
 */
export async function watchPoints(path: string): Promise<WatchPoint[]> {
  const absolute = resolve(path)
  const points: WatchPoint[] = []
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
    if (target !== undefined || rest.length === 0) points.push(await watchPoint(current, name))
    if (target === undefined) current = join(current, name)
    else {
      links += 1
      if (links > MAX_SYMLINKS) break
      rest.unshift(...target.split(sep))
      if (target.startsWith(sep)) current = parse(absolute).root
    }
  }
  return points
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined
  } catch {
    return undefined
  }
}

async function watchPoint(directory: string, name: string): Promise<WatchPoint> {
  try {
    const { dev, ino } = await stat(directory)
    return { directory, name, identity: `${dev}:${ino}:${directory}` }
  } catch {
    return { directory, name, identity: directory }
  }
}
