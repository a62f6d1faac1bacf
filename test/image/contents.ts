import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { z } from 'zod'

export interface Entry {
  /** from the root of the image, without a leading slash */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly bytes: number
  readonly mode: number
  readonly uid: number
}

/** Everything below `root`, links not followed. */
export function entriesOf(root: string, folder = root): Entry[] {
  return readdirSync(folder).flatMap((name) => {
    const full = join(folder, name)
    const stat = lstatSync(full)
    const kind = stat.isFile()
      ? 'file'
      : stat.isDirectory()
        ? 'folder'
        : stat.isSymbolicLink()
          ? 'link'
          : 'other'
    const entry: Entry = {
      path: relative(root, full),
      kind,
      bytes: stat.size,
      mode: stat.mode,
      uid: stat.uid,
    }
    return kind === 'folder' ? [entry, ...entriesOf(root, full)] : [entry]
  })
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ dev: z.boolean().optional(), devOptional: z.boolean().optional() }),
  ),
})

/** Packages by their place below `node_modules`, as the lockfile has them. */
export function placesOf(entries: readonly Entry[]): string[] {
  const pattern = /^app\/((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/@.][^/]*)\/package\.json$/
  return entries.flatMap(({ path }) => {
    const [, place] = pattern.exec(path) ?? []
    return place === undefined ? [] : [place]
  })
}

/** Folders of the image's `/app`; whatever else is there was not meant to be. */
const PARTS = ['data', 'dist', 'flags', 'node_modules', 'package.json']
const UNWANTED = /(^|\/)(\.env(\..*)?|\.git|\.npmrc|id_(rsa|ed25519)|.*\.(pem|p12|pfx|sqlite|db))$/
const SET_ID = 0o6000
const WORLD_WRITABLE = 0o002
const SECRETS = [
  /-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\s*[A-Za-z0-9+/]{40}/,
  /\bAKIA[0-9A-Z]{16}\b/,
  /\bsk-(?:proj-)?[A-Za-z0-9]{32,}\b/,
  /\bgh[pousr]_[A-Za-z0-9]{36}\b/,
]

/** What should not be in the image, a line each; none for a good one. @param user id that the service runs as */
export function faultsOf(root: string, entries: readonly Entry[], lockfile: string, user: number): string[] {
  const faults: string[] = []
  const lock = lockSchema.parse(JSON.parse(lockfile))
  const parts = new Set(
    entries.filter(({ path }) => path.startsWith(`app${sep}`)).map(({ path }) => path.split(sep)[1] ?? ''),
  )
  for (const part of parts)
    if (!PARTS.includes(part)) faults.push(`/app/${part}: not meant to be in the image`)
  for (const part of PARTS) if (!parts.has(part)) faults.push(`/app/${part}: missing`)
  for (const place of placesOf(entries)) {
    const known = lock.packages[place]
    if (known?.dev === true) faults.push(`/app/${place}: a development package`)
  }
  for (const { path, kind, mode, uid } of entries) {
    if (path.startsWith('app/') && UNWANTED.test(path))
      faults.push(`/${path}: such a file belongs in no image`)
    if (kind !== 'link' && (mode & SET_ID) !== 0) faults.push(`/${path}: runs with another user's rights`)
    const isWritable = kind !== 'link' && (uid === user || (mode & WORLD_WRITABLE) !== 0)
    if (path.startsWith('app') && isWritable && path !== 'app/data')
      faults.push(`/${path}: the service can change it`)
    if (kind === 'file' && path.startsWith('app/') && hasSecret(join(root, path)))
      faults.push(`/${path}: has what looks like a secret`)
  }
  return faults
}

function hasSecret(file: string): boolean {
  const text = readFileSync(file, 'latin1')
  return SECRETS.some((secret) => secret.test(text))
}

const manifestSchema = z.object({
  license: z.unknown().optional(),
})

/** How many packages have which licence, the most frequent first. */
export function licencesOf(root: string, entries: readonly Entry[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const place of placesOf(entries)) {
    const { license } = manifestSchema.parse(
      JSON.parse(readFileSync(join(root, 'app', place, 'package.json'), 'utf8')),
    )
    const name = typeof license === 'string' ? license : 'not named'
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)
}

/** Bytes of each part of `/app`. */
export function sizesOf(entries: readonly Entry[]): [string, number][] {
  const sizes = new Map<string, number>()
  for (const { path, kind, bytes } of entries) {
    const [top, part] = path.split(sep)
    if (kind === 'file' && top === 'app' && part !== undefined)
      sizes.set(part, (sizes.get(part) ?? 0) + bytes)
  }
  return [...sizes].sort(([, a], [, b]) => b - a)
}
