import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import { isKnownTag } from '../edge/known-tag.js'
import { Problem } from '../edge/problems.js'
import { OPERATIONS } from '../operations/all-operations.js'
import { DOCS_PAGE, PAGE_HEADERS, type PageFile, pageFile, unpacked } from './docs-page.js'
import { openApiDocument } from './document.js'

interface Served {
  readonly text: string
  readonly etag: string
}

let served: Served | undefined

/** Made once a process, before the first request: it takes some 30 ms, which no running turn shall wait. */
function servedDocument(): Served {
  if (served !== undefined) return served
  const text = JSON.stringify(openApiDocument(OPERATIONS, packageVersion()))
  served = { text, etag: `"${hash('sha256', text, 'base64url')}"` }
  return served
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  )
  return z.object({ version: z.string() }).parse(manifest).version
}

/** The API as a document and as a page, open to everyone who reaches the port. */
export function mountOpenApiRoutes(router: Router): void {
  const { text, etag } = servedDocument()

  router.get('/openapi.json', (ctx) => {
    ctx.type = 'application/json; charset=utf-8'
    respond(ctx, text, etag)
  })

  router.get('/docs', (ctx) => serve(ctx, DOCS_PAGE))

  router.get('/docs/:file', async (ctx) => {
    const file = await pageFile(ctx.params.file ?? '')
    if (file === undefined) throw new Problem('path_unknown')
    await serve(ctx, file)
  })
}

async function serve(ctx: Context, { type, body, etag, compressed }: PageFile): Promise<void> {
  ctx.set(PAGE_HEADERS)
  ctx.type = type
  if (!compressed) return respond(ctx, body, etag)
  ctx.vary('Accept-Encoding')
  const asItIs = ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
  if (asItIs) ctx.set('Content-Encoding', 'gzip')
  respond(ctx, asItIs ? body : await unpacked(body), etag)
  // Weak: the same for both encodings.
  ctx.set('ETag', `W/${etag}`)
}

function respond(ctx: Context, body: string | Buffer, etag: string): void {
  ctx.set({ ETag: etag, 'Cache-Control': 'no-cache' })
  ctx.body = body
  if (isKnownTag(ctx.get('If-None-Match'), etag)) ctx.status = 304
}
