import type Router from '@koa/router'
import { Problem } from '../edge/problems.js'
import { consoleAsset, consolePage } from './console-files.js'
import { pageHeaders, servePage } from './page-file.js'

/** The name of an asset changes with its content. */
const FOR_GOOD = 'public, max-age=31536000, immutable'

/** The operators' page, open to everyone who reaches the port; its data are not. */
export function mountConsoleRoutes(router: Router): void {
  const headers = pageHeaders()

  router.get('/console/config.json', (ctx) => {
    ctx.set({ ...headers, 'Cache-Control': 'no-cache' })
    ctx.body = { oidc: null }
  })

  router.get('/console/assets/:name', async (ctx) => {
    const asset = await consoleAsset(ctx.params.name ?? '')
    if (asset === undefined) throw new Problem('path_unknown')
    await servePage(ctx, asset, headers, FOR_GOOD)
  })

  // Every view has an address of its own, and the page finds its way by it.
  router.get(['/console', '/console/:view{/:id}'], async (ctx) => {
    const page = await consolePage()
    if (page === undefined) throw new Problem('console_unbuilt')
    await servePage(ctx, page, headers)
  })
}
