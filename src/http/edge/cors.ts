import cors from '@koa/cors'
import type { Middleware } from 'koa'

/** s a browser may keep the answer to a preflight; browsers cap it themselves (Chromium at 2 h) */
const PREFLIGHT_SECONDS = 7_200

const EXPOSED = [
  'ETag',
  'X-Chat-Stream-Id',
  'X-Chat-Stream-Token',
  'X-Chat-Session-Id',
  'X-Request-ID',
  'Retry-After',
  'RateLimit-Policy',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
] as const

/**
 * Lets pages of these origins call the service, and read what it says in its headers. Tokens travel in `Authorization`, so
 * no cookies are allowed. Other origins get no `Access-Control-*` at all: their browsers refuse the answer.
 */
export function allowOrigins(origins: readonly string[]): Middleware {
  const allowed = new Set(origins)
  return cors({
    // An empty origin is how the library is told no.
    origin: (ctx) => (allowed.has(ctx.get('Origin')) ? ctx.get('Origin') : ''),
    allowMethods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Accept-Language',
      'If-Match',
      'If-None-Match',
      'Idempotency-Key',
      'Last-Event-ID',
      'X-Request-ID',
      'traceparent',
      'tracestate',
    ],
    exposeHeaders: [...EXPOSED],
    maxAge: PREFLIGHT_SECONDS,
  })
}

/** The same for an answer that is written ahead of the middleware: the headers for a page of `origin`. */
export function originHeaders(
  origins: readonly string[],
  origin: string | undefined,
): Record<string, string> {
  if (origin === undefined || !origins.includes(origin)) return {}
  return { 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED.join(',') }
}
