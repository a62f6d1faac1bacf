import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Context } from 'koa'
import { isKnownTag } from '../edge/known-tag.js'

/** A file of a page that the service itself serves. */
export interface PageFile {
  readonly type: string
  readonly body: Buffer
  readonly etag: string
  /** `body` is gzip */
  readonly compressed: boolean
}

/** Nothing from elsewhere, nothing inline, in nobody's frame. @param connect further origins that the page may ask */
export function pageHeaders(connect: readonly string[] = []): Readonly<Record<string, string>> {
  return {
    'Content-Security-Policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      ['connect-src', "'self'", ...connect].join(' '),
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  }
}

const tagOf = (body: Buffer): string => `"${hash('sha256', body, 'base64url')}"`

/** A file made of text. @param type with its charset */
export function textFile(type: string, text: string): PageFile {
  const body = Buffer.from(text)
  return { type, body, etag: tagOf(body), compressed: false }
}

/** @param body gzip. @param type with its charset */
export const compressedPage = (body: Buffer, type: string): PageFile => ({
  type,
  body,
  etag: tagOf(body),
  compressed: true,
})

/** A file that the build has compressed; undefined where it has not put it there. */
export async function compressedFile(at: URL, type: string): Promise<PageFile | undefined> {
  try {
    return compressedPage(await readFile(at), type)
  } catch {
    return undefined
  }
}

/** For the rare client that takes no gzip. */
const unpacked: (body: Buffer) => Promise<Buffer> = promisify(gunzip)

/** @param cacheControl `no-cache`: the client asks each time whether its copy is still good */
export async function servePage(
  ctx: Context,
  { type, body, etag, compressed }: PageFile,
  headers: Readonly<Record<string, string>>,
  cacheControl = 'no-cache',
): Promise<void> {
  ctx.set(headers)
  ctx.type = type
  if (!compressed) return respond(ctx, body, etag, cacheControl)
  ctx.vary('Accept-Encoding')
  const asItIs = ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
  if (asItIs) ctx.set('Content-Encoding', 'gzip')
  respond(ctx, asItIs ? body : await unpacked(body), etag, cacheControl)
  // Weak: the same for both encodings.
  ctx.set('ETag', `W/${etag}`)
}

/** Answers `body`, or 304 where the client has it. */
export function respond(ctx: Context, body: string | Buffer, etag: string, cacheControl = 'no-cache'): void {
  ctx.set({ ETag: etag, 'Cache-Control': cacheControl })
  ctx.body = body
  if (isKnownTag(ctx.get('If-None-Match'), etag)) ctx.status = 304
}
