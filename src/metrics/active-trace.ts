import { isSpanContextValid, TraceFlags, trace } from '@opentelemetry/api'
import type { Exemplar } from './times-by-mode.js'

/** The trace of whatever runs now, where an OpenTelemetry SDK was loaded and keeps this one. */
export function activeTrace(): Exemplar | undefined {
  const context = trace.getActiveSpan()?.spanContext()
  if (context === undefined || !isSpanContextValid(context)) return undefined
  if ((context.traceFlags & TraceFlags.SAMPLED) === 0) return undefined
  return { trace_id: context.traceId, span_id: context.spanId }
}
