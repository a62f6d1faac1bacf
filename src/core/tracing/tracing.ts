import {
  context,
  ProxyTracerProvider,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { readTraceContext } from './trace-context.js'
import { TraceSpan } from './trace-span.js'

/** The trace context of a client's request, as its headers say; empty where they are missing. */
export interface TraceFrom {
  readonly traceparent: string
  readonly tracestate: string
}

/** Starts the first span of a request. */
export interface Tracing {
  /** Undefined where nobody traces and the client brought no context: then a turn costs nothing here. */
  begin(name: string, options: SpanOptions, from: TraceFrom): TraceSpan | undefined
}

const NAME = 'chat-cutover'

/** Where nobody traces: a client's context is carried on all the same. */
export const NO_TRACING: Tracing = tracingBy(undefined)

/** @param provider takes the spans; undefined: nobody does */
export function tracingBy(provider: TracerProvider | undefined): Tracing {
  const tracer: Tracer | undefined = provider?.getTracer(NAME)
  return {
    begin(name, options, { traceparent, tracestate }) {
      const remote = readTraceContext(traceparent, tracestate)
      if (tracer === undefined && remote === undefined) return undefined
      // An SDK that was loaded before the service may have a span of the request already.
      const active = context.active()
      const parent =
        remote === undefined || trace.getSpan(active) !== undefined
          ? active
          : trace.setSpanContext(active, remote)
      return new TraceSpan(tracer ?? trace.getTracer(NAME), parent, name, options)
    },
  }
}

/** The provider that was registered before the service began (`node --import`), if there is one. */
export function registeredProvider(): TracerProvider | undefined {
  const provider = trace.getTracerProvider()
  const isNothing = provider instanceof ProxyTracerProvider && provider.getDelegateTracer(NAME) === undefined
  return isNothing ? undefined : provider
}
