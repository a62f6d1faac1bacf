import type { RouterMiddleware } from '@koa/router'
import { Problem } from './problems.js'

/** What no route took: a known path with another method (405, or the answer to OPTIONS), or an unknown one (404). */
export const refuseUnmatched: RouterMiddleware = (ctx) => {
  const methods = new Set((ctx.matched ?? []).flatMap((layer) => layer.methods))
  if (methods.size === 0) throw new Problem('path_unknown')
  const allow = [...methods, 'OPTIONS'].join(', ')
  if (ctx.method !== 'OPTIONS') throw new Problem('method_not_allowed', { headers: { Allow: allow } })
  ctx.set('Allow', allow)
  ctx.status = 204
}
