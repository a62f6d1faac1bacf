import { SpanKind } from '@opentelemetry/api'
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

function begin(ctx: Context, tracing: Tracing): TraceSpan | undefined {
  const options = {
    kind: SpanKind.SERVER,
    attributes: {
      'http.request.method': ctx.method,
      'url.scheme': ctx.protocol,
      'chat.request.id': requestIdOf(ctx),
    },
  }
  return tracing.begin(ctx.method, options, {
    traceparent: ctx.get('traceparent'),
    tracestate: ctx.get('tracestate'),
  })
}

/** Named by the route: paths have ids in them. What matched none may have anything in its path, so that is left out. */
function end(ctx: Context, span: TraceSpan): void {
  const route: unknown = ctx._matchedRoute
  const status = ctx.res.statusCode
  if (typeof route === 'string') {
    span.rename(`${ctx.method} ${route}`)
    span.set({ 'http.route': route, 'url.path': ctx.path })
  }
  span.set({ 'http.response.status_code': status })
  if (status >= FIRST_SERVER_FAULT) span.fail(String(status))
  span.end()
}
