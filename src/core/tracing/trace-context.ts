import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api'

/** Version, trace id, parent id, flags; a later version may have more fields behind them. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/
/** characters; W3C asks for at least 512 to be carried on */
const MOST_STATE = 8_192

/**
 * The W3C trace context of a request from its headers `traceparent` and `tracestate`; undefined where there is none, or a wrong one:
 * a client's mistake there costs it its trace alone.
 */
export function readTraceContext(traceparent: string, tracestate: string): SpanContext | undefined {
  if (traceparent === '') return undefined
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent.trim()) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
  if (!isSpanContextValid(context)) return undefined
  if (tracestate === '' || tracestate.length > MOST_STATE) return context
  return { ...context, traceState: createTraceState(tracestate) }
}

/** The headers that carry a trace context on to the next server. */
export function traceHeaders(context: SpanContext): Readonly<Record<string, string>> {
  const { traceId, spanId, traceFlags, traceState } = context
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  const tracestate = traceState?.serialize() ?? ''
  return tracestate === '' ? { traceparent } : { traceparent, tracestate }
}
