import type { Context, Middleware } from 'koa'
import type { Quota } from '../limits/start-rates.js'

/**
 * What every answer tells browsers: it is what its content type says, frames nobody, and gives no address away. Pages loosen the
 * Content-Security-Policy for themselves. A fixed set in place of koa-helmet, whose further headers are for pages or, like HSTS, the
 * business of the proxy that has the certificate.
 */
export const SAFE_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const

const SAFE = Object.entries(SAFE_HEADERS)

export const safeHeaders: Middleware = ({ res }, next) => {
  for (const [name, value] of SAFE) res.setHeader(name, value)
  return next()
}

/** Tells the caller of `ctx` what is left of its limits, the first of them in full; also where the turn is refused. */
export function tellQuota(ctx: Context): (quotas: readonly Quota[]) => void {
  return (quotas) => {
    const [quota] = quotas
    if (quota === undefined) return
    const [limit, remaining, reset] = [quota.limit, quota.remaining, quota.resetSeconds].map(String)
    ctx.set({
      'RateLimit-Policy': quotas.map((one) => `${one.limit};w=${one.windowSeconds}`).join(', '),
      'RateLimit-Limit': limit ?? '',
      'RateLimit-Remaining': remaining ?? '',
      'RateLimit-Reset': reset ?? '',
      // Names that many clients look for.
      'X-RateLimit-Limit': limit ?? '',
      'X-RateLimit-Remaining': remaining ?? '',
      'X-RateLimit-Reset': reset ?? '',
    })
  }
}
