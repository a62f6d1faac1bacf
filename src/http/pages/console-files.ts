import { compressedFile, type PageFile } from './page-file.js'

/** The build puts the console there, each file compressed: scripts/console-page.mjs. */
const FOLDER = new URL('../../../dist/console/', import.meta.url)

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** A name that the build gives: with a hash of the content, and in no other folder. */
const ASSET = /^[\w-]+-[\w-]{8}\.(js|css|svg)$/

/** Read once, when somebody first looks; some hundred KiB in all. */
const kept = new Map<string, PageFile>()

/** The page itself; undefined where the build has not made it. */
export const consolePage = (): Promise<PageFile | undefined> => file('index.html', 'text/html; charset=utf-8')

/** docs/runbook.md as a page; undefined where the build has not made it. */
export const runbookPage = (): Promise<PageFile | undefined> =>
  file('runbook.html', 'text/html; charset=utf-8')

/** A script, style sheet or picture of the page; undefined where there is none of that name. */
export async function consoleAsset(name: string): Promise<PageFile | undefined> {
  const type = TYPES[ASSET.exec(name)?.[1] ?? '']
  return type === undefined ? undefined : file(`assets/${name}`, type)
}

async function file(path: string, type: string): Promise<PageFile | undefined> {
  const before = kept.get(path)
  if (before !== undefined) return before
  const read = await compressedFile(new URL(`${path}.gz`, FOLDER), type)
  if (read !== undefined) kept.set(path, read)
  return read
}
