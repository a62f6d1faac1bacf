import type { Context, Middleware } from 'koa'
import type { Quota } from '../turn/rate-limit.js'

/**
 * What every answer tells browsers: it is what its content type says, frames nobody, and gives no address away. Pages loosen the
 * Content-Security-Policy for themselves. A fixed set in place of koa-helmet, whose further headers are for pages or, like HSTS, the
 * business of the proxy that has the certificate.
 */
const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const

export const safeHeaders: Middleware = (ctx, next) => {
  ctx.set(HEADERS)
  return next()
}

/** Tells the caller of `ctx` what is left of its turns, also where the turn is refused. */
export function tellQuota(ctx: Context): (quota: Quota) => void {
  return ({ limit, remaining, resetSeconds }) =>
    ctx.set({
      'RateLimit-Policy': `${limit};w=60`,
      'RateLimit-Limit': String(limit),
      'RateLimit-Remaining': String(remaining),
      'RateLimit-Reset': String(resetSeconds),
    })
}
