import { isSpanContextValid, TraceFlags, trace } from '@opentelemetry/api'
import { measuredSpan } from '../core/tracing/measured-span.js'
import type { Exemplar } from './times-by-mode.js'

/** The trace of whatever is measured now, where spans are recorded and this one is kept. */
export function activeTrace(): Exemplar | undefined {
  const span = measuredSpan()
  if (span !== undefined) return span.isSampled ? span.ids : undefined
  const context = trace.getActiveSpan()?.spanContext()
  if (context === undefined || !isSpanContextValid(context)) return undefined
  if ((context.traceFlags & TraceFlags.SAMPLED) === 0) return undefined
  return { trace_id: context.traceId, span_id: context.spanId }
}
