import { stat } from 'node:fs/promises'
import { type PathStep, pathSteps } from '../../core/files/symlinks.js'

/** A name in a real directory whose change may change what a path leads to. */
export interface WatchPoint extends PathStep {
  /** tells a directory from another that was put in its place: a watch stays with the old one */
  readonly identity: string
}

/** Each link on the way to `path` and the file itself: where a link is swapped, nothing happens to the file. */
export async function watchPoints(path: string): Promise<WatchPoint[]> {
  const points: WatchPoint[] = []
  for (const step of await pathSteps(path))
    points.push({ ...step, identity: await identityOf(step.directory) })
  return points
}

async function identityOf(directory: string): Promise<string> {
  try {
    const { dev, ino } = await stat(directory)
    return `${dev}:${ino}:${directory}`
  } catch {
    return directory
  }
}
