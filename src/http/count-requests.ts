import type { Context, Middleware } from 'koa'
import { guarded } from '../core/guarded.js'
import type { AppDeps } from './app-deps.js'

/** nginx's status for a client that left before it was answered */
const CLIENT_LEFT = 499

/** Counts each request when it has been answered; a stream at its end. Routes, never paths: their number has a bound. */
export function countRequests({ logger, metrics }: Pick<AppDeps, 'logger' | 'metrics'>): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } finally {
      const left = !ctx.writable && !ctx.headerSent
      guarded(logger, 'metrics', () =>
        metrics.recordRequest(routeOf(ctx), left ? CLIENT_LEFT : ctx.res.statusCode),
      )
    }
  }
}

function routeOf(ctx: Context): string {
  const matched: unknown = ctx._matchedRoute
  return typeof matched === 'string' ? `${ctx.method} ${matched}` : 'unmatched'
}
