import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type Router from '@koa/router'
import { z } from 'zod'
import { Problem } from '../edge/problems.js'
import { OPERATIONS } from '../operations/all-operations.js'
import { DOCS_HEADERS, DOCS_PAGE, pageFile } from '../pages/docs-page.js'
import { respond, servePage } from '../pages/page-file.js'
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

  router.get('/docs', (ctx) => servePage(ctx, DOCS_PAGE, DOCS_HEADERS))

  router.get('/docs/:file', async (ctx) => {
    const file = await pageFile(ctx.params.file ?? '')
    if (file === undefined) throw new Problem('path_unknown')
    await servePage(ctx, file, DOCS_HEADERS)
  })
}
