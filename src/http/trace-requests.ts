import type { IncomingMessage } from 'node:http'
import { SpanKind, type SpanOptions } from '@opentelemetry/api'
import type { Context, Middleware } from 'koa'
import { guarded } from '../core/guarded.js'
import type { Logger } from '../core/logger.js'
import { keepSpan } from '../core/tracing/request-span.js'
import type { TraceSpan } from '../core/tracing/trace-span.js'
import type { Tracing } from '../core/tracing/tracing.js'
import { requestIdOf } from './edge/request-id.js'

/** What is asked every few seconds by machines, and pages without data of their own. */
const UNTRACED = /^\/(health|metrics|console|docs|openapi)\b/
const FIRST_SERVER_FAULT = 500

/** A span for each request, within the one of its client; a stream's ends with it. Where nobody traces, the client's context is carried on. */
export function traceRequests({
  logger,
  tracing,
}: {
  readonly logger: Logger
  readonly tracing: Tracing
}): Middleware {
  return async (ctx, next) => {
    const span = UNTRACED.test(ctx.path) ? undefined : guarded(logger, 'traces', () => begin(ctx, tracing))
    if (span === undefined) return next()
    keepSpan(ctx, span)
    try {
      await next()
    } finally {
      guarded(logger, 'traces', () => end(ctx, span))
    }
  }
}

/** The same span for a request that is answered ahead of the middleware; it begins with the answer. */
export function traceAnswered(
  { logger, tracing }: { readonly logger: Logger; readonly tracing: Tracing },
  { headers, method = '' }: IncomingMessage,
  {
    requestId,
    route,
    status,
  }: { readonly requestId: string; readonly route: string; readonly status: number },
): void {
  guarded(logger, 'traces', () => {
    const span = tracing.begin(method, spanOptions(method, 'http', requestId), {
      traceparent: String(headers.traceparent ?? ''),
      tracestate: String(headers.tracestate ?? ''),
    })
    if (span !== undefined) finish(span, { method, route, path: route, status })
  })
}

function begin(ctx: Context, tracing: Tracing): TraceSpan | undefined {
  return tracing.begin(ctx.method, spanOptions(ctx.method, ctx.protocol, requestIdOf(ctx)), {
    traceparent: ctx.get('traceparent'),
    tracestate: ctx.get('tracestate'),
  })
}

function spanOptions(method: string, scheme: string, requestId: string): SpanOptions {
  return {
    kind: SpanKind.SERVER,
    attributes: { 'http.request.method': method, 'url.scheme': scheme, 'chat.request.id': requestId },
  }
}

function end(ctx: Context, span: TraceSpan): void {
  finish(span, { method: ctx.method, route: ctx._matchedRoute, path: ctx.path, status: ctx.res.statusCode })
}

interface Answered {
  readonly method: string
  readonly route: unknown
  readonly path: string
  readonly status: number
}

/** Named by the route: paths have ids in them. What matched none may have anything in its path, so that is left out. */
function finish(span: TraceSpan, { method, route, path, status }: Answered): void {
  if (typeof route === 'string') {
    span.rename(`${method} ${route}`)
    span.set({ 'http.route': route, 'url.path': path })
  }
  span.set({ 'http.response.status_code': status })
  if (status >= FIRST_SERVER_FAULT) span.fail(String(status))
  span.end()
}
