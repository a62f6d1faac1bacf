import { wellFormed } from '../../core/text.js'

/** Where files of a runtime may be. */
export interface FilePlaces {
  /** address of the runtime, to which its own addresses are relative; no trailing slash */
  readonly baseUrl: string
  /** CHAT_FILE_ORIGINS: further origins, as `URL.origin` writes them */
  readonly origins: readonly string[]
}

/** longer addresses are no links that a client could open */
const MAX_URL = 8192
/** what file systems take, in UTF-16 units */
const MAX_NAME = 255

/**
 * The address of a file as clients get it: http or https, at the runtime's own origin or one of `origins`, without
 * credentials. Undefined for any other: the file must not be passed on.
 */
export function allowedFileUrl(url: string, { baseUrl, origins }: FilePlaces): string | undefined {
  if (url.length > MAX_URL || !URL.canParse(baseUrl)) return undefined
  const base = new URL(baseUrl)
  // Our own credentials for the runtime are for nobody else.
  base.username = ''
  base.password = ''
  const isAbsolute = /^\s*(?:[a-z][a-z0-9+.-]*:|[\\/]{2})/i.test(url)
  const whole = isAbsolute ? url : `${base.href.replace(/\/+$/, '')}/${url.replace(/^\/+/, '')}`
  if (!URL.canParse(whole, base.href)) return undefined
  const absolute = new URL(whole, base)
  if (absolute.protocol !== 'http:' && absolute.protocol !== 'https:') return undefined
  if (absolute.username !== '' || absolute.password !== '') return undefined
  if (absolute.origin !== base.origin && !origins.includes(absolute.origin)) return undefined
  return absolute.href.length > MAX_URL ? undefined : absolute.href
}

// Control characters, line ends of Unicode, and marks that turn the direction of text: `exe.fdp` would read as `pdf.exe`.
const UNSEEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** The last part of a path, without what no name of a file has; `file` where nothing is left. */
export function cleanFilename(name: string): string {
  // Of a huge name only the end can count.
  const last =
    name
      .slice(-16 * MAX_NAME)
      .split(/[\\/]/)
      .at(-1) ?? ''
  const seen = wellFormed(last).replace(UNSEEN, '').trim()
  if (/^\.*$/.test(seen)) return 'file'
  return seen.length <= MAX_NAME ? seen : shortened(seen)
}

/** The ending says what to open it with: it stays. */
function shortened(name: string): string {
  const ending = /\.[A-Za-z0-9]{1,16}$/.exec(name)?.[0] ?? ''
  // A pair cut in two is no character.
  return name.slice(0, MAX_NAME - ending.length).replace(/[\ud800-\udbff]$/, '') + ending
}

const MIME_TYPE = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:;[\x20-\x7e]{0,127})?$/

/** What says nothing clear is taken for bytes. */
export function cleanMimeType(type: unknown): string {
  return typeof type === 'string' && MIME_TYPE.test(type) ? type : 'application/octet-stream'
}
