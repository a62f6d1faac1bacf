import type Router from '@koa/router'
import { type AppDeps, EDGE_TIMING } from '../app-deps.js'
import type { Authenticate } from '../auth/auth.js'
import { answer } from '../edge/answer.js'
import { guard } from '../edge/guard.js'
import { Problem } from '../edge/problems.js'
import { readJson } from '../edge/read-body.js'
import { consoleAsset, consolePage, runbookPage } from './console-files.js'
import { demoFaultSchema, setDemoFault } from './demo-faults.js'
import { pageHeaders, servePage } from './page-file.js'

/** The name of an asset changes with its content. */
const FOR_GOOD = 'public, max-age=31536000, immutable'

/** The operators' page, open to everyone who reaches the port; its data are not. */
export function mountConsoleRoutes(router: Router, authenticate: Authenticate, deps: AppDeps): void {
  const { demo, consoleOidc } = deps.config
  const headers = pageHeaders(consoleOidc === undefined ? [] : [new URL(consoleOidc.issuer).origin])

  // Who types the address of the service into a browser; a program goes on to read 404.
  router.get('/', (ctx) => {
    ctx.vary('Accept')
    if (ctx.accepts('json', 'html') !== 'html') throw new Problem('path_unknown')
    ctx.redirect('/console')
  })

  router.get('/console/config.json', (ctx) => {
    ctx.set({ ...headers, 'Cache-Control': 'no-cache' })
    ctx.body = { oidc: consoleOidc ?? null, demo, operatorRole: deps.config.auth.operatorRole }
  })

  router.get('/console/assets/:name', async (ctx) => {
    const asset = await consoleAsset(ctx.params.name ?? '')
    if (asset === undefined) throw new Problem('path_unknown')
    await servePage(ctx, asset, headers, FOR_GOOD)
  })

  if (demo)
    router.put('/console/demo/fault', async (ctx) => {
      await authenticate(ctx, deps.config.auth.operatorRole)
      const timing = { ...EDGE_TIMING, ...deps.timing, clock: deps.clock }
      const { fault } = guard(demoFaultSchema, await readJson(ctx, timing))
      await setDemoFault(deps.config.runtime.url, fault)
      answer(ctx, { fault })
    })

  // What each alert of the overview links to, by its anchor.
  router.get('/console/runbook', async (ctx) => {
    const page = await runbookPage()
    if (page === undefined) throw new Problem('console_unbuilt')
    await servePage(ctx, page, headers)
  })

  // Every view has an address of its own, and the page finds its way by it.
  router.get(['/console', '/console/:view{/:id}'], async (ctx) => {
    const page = await consolePage()
    if (page === undefined) throw new Problem('console_unbuilt')
    await servePage(ctx, page, headers)
  })
}
