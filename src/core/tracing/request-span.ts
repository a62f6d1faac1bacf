import type { TraceSpan } from './trace-span.js'

const spans = new WeakMap<object, TraceSpan>()

/** Remembers the span of a request for as long as the request is there. */
export function keepSpan(request: object, span: TraceSpan): void {
  spans.set(request, span)
}

/** The span of the request as its turn and its log lines are given it; empty where it is in no trace. */
export function spanOf(request: object): { readonly span?: TraceSpan } {
  const span = spans.get(request)
  return span === undefined ? {} : { span }
}
