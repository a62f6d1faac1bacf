import type { Context, Middleware } from 'koa'
import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'

/** nginx's status for a client that left before it was answered */
export const CLIENT_LEFT = 499

export interface CountingDeps {
  readonly logger: Logger
  readonly metrics: {
    /** one answered request: `POST /api/v1/chat/start` or `unmatched`, and its status */
    recordRequest(route: string, code: number): void
  }
}

/** Counts each request when it has been answered; a stream at its end. Routes, never paths: their number has a bound. */
export function countRequests({ logger, metrics }: CountingDeps): Middleware {
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
