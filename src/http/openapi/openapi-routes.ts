import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type Router from '@koa/router'
import { packageVersion } from '../../core/files/package-version.js'
import { Problem } from '../edge/problems.js'
import { OPERATIONS } from '../operations/all-operations.js'
import { DOCS_HEADERS, DOCS_PAGE, pageFile } from '../pages/docs-page.js'
import { compressedPage, type PageFile, servePage } from '../pages/page-file.js'
import { openApiDocument } from './document.js'

const NOSNIFF = { 'X-Content-Type-Options': 'nosniff' } as const

let made: PageFile | undefined

/** The build puts it there (scripts/docs-page.mjs): to make it takes a fifth of the CPU time of a start. Absent where the service runs from `src/`. */
const BUILT = new URL('../../docs-page/openapi.json.gz', import.meta.url)

/** Read or made once a process, before the first request: to make it takes some 40 ms, which no running turn shall wait. */
function documentFile(): PageFile {
  made ??= compressedPage(
    existsSync(BUILT)
      ? readFileSync(BUILT)
      : gzipSync(JSON.stringify(openApiDocument(OPERATIONS, packageVersion()))),
    'application/json; charset=utf-8',
  )
  return made
}

/** The API as a document and as a page, open to everyone who reaches the port. */
export function mountOpenApiRoutes(router: Router): void {
  const document = documentFile()

  router.get('/openapi.json', (ctx) => servePage(ctx, document, NOSNIFF))

  router.get('/docs', (ctx) => servePage(ctx, DOCS_PAGE, DOCS_HEADERS))

  router.get('/docs/:file', async (ctx) => {
    const file = await pageFile(ctx.params.file ?? '')
    if (file === undefined) throw new Problem('path_unknown')
    await servePage(ctx, file, DOCS_HEADERS)
  })
}
